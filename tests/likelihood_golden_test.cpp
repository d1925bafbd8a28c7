// The bound of a formula's images against OpenAI's improved-diffusion, run in float64 on its own
// coefficients, which it rounds to float32.
#include <gtest/gtest.h>

#include <cmath>

#include "ddpm/diffusion/bound.h"
#include "ddpm/net/inception_for_test.h"

namespace ddpm {
namespace {

constexpr int kSide = 8, kElements = 3 * kSide * kSide;

// A corner of A32, scaled as they do; two pixels are held at the ends of the decoder.
std::vector<double> image(int k) {
  const auto bytes = formula_image(kA32, k);
  std::vector<double> x0;
  for (int c = 0; c < 3; ++c) {
    for (int y = 0; y < kSide; ++y) {
      for (int x = 0; x < kSide; ++x) {
        x0.push_back(static_cast<float>(bytes[(c * 32 + y) * 32 + x]) / 127.5F - 1);
      }
    }
  }
  if (k == 0) x0[0] = -1, x0[1] = 1;
  return x0;
}

std::vector<double> noise(int k, int t) {
  std::vector<double> eps;
  for (int i = 0; i < kElements; ++i) {
    eps.push_back(static_cast<float>(std::sqrt(3.0)) *
                  formula_value(7000 + t - 1, static_cast<std::uint32_t>(k * kElements + i)));
  }
  return eps;
}

// eps-hat = x_t / 2, and the variance channel x_t / 4.
std::vector<double> output(const Schedule& s, int t, const std::vector<double>& x0,
                           const std::vector<double>& eps, bool learned) {
  std::vector<double> out;
  for (int i = 0; i < kElements; ++i) {
    out.push_back(std::sqrt(s.alpha_bar(t)) * x0[i] + std::sqrt(s.one_minus_alpha_bar(t)) * eps[i]);
  }
  if (learned) out.insert(out.end(), out.begin(), out.end());
  for (int i = 0; i < kElements; ++i) out[i] *= 0.5;
  if (learned) {
    for (int i = 0; i < kElements; ++i) out[kElements + i] *= 0.25;
  }
  return out;
}

struct Golden {
  const char* schedule;
  Variance variance;
  double decoder[2], first[2], middle[2], last[2], prior[2], total[2];  // of images 0 and 1
};

constexpr Golden kGoldens[] = {
    {"linear:1000",
     Variance::fixed_large,
     {2.52996073581147, 2.524858521960967},
     {0.5511217338454599, 0.5538787910224674},
     {0.0005782799665768229, 0.0005943614303929007},
     {7.385186564063678e-07, 7.090495053514292e-07},
     {6.197895361102582e-06, 5.476877060156363e-06},
     {8.708675534846238, 8.738153833482793}},
    {"linear:1000",
     Variance::fixed_small,
     {2.52996073581147, 2.524858521960967},
     {0.8268470380027082, 0.8329100219108211},
     {0.00057851807082811, 0.0005946133363060086},
     {9.105018143696556e-07, 8.810326430798585e-07},
     {6.197895361102582e-06, 5.476877060156363e-06},
     {9.342610963843457, 9.402619502287447}},
    {"cosine:50",
     Variance::learned_range,
     {4.447809154590042, 4.459680291295736},
     {0.902980889008154, 0.8982990718977734},
     {0.038519293279566394, 0.029013939028670204},
     {0.0008492532380042843, 0.0008261337678017274},
     {1.4914781819603774e-07, 1.3179704019800265e-07},
     {8.739816966243936, 8.829391147641546}},
};

// Their log-variances are float32's, off by up to 2^-21 below -8, which exp() makes a share of a
// term. -1 + log-variance is float32's too, of which a term has half: 3.5e-7 bits; in the prior,
// near -1, up to 2^-25. Their other coefficients are off by 6e-8 of themselves, and a term has four
// of them.
constexpr double kTermTol = 3.5e-7, kPriorTol = 2.2e-8, kRelative = 4.8e-7 + 4 * 6e-8;

TEST(LikelihoodGolden, TheBoundIsImprovedDiffusions) {
  for (const Golden& g : kGoldens) {
    const Schedule s = Schedule::parse(g.schedule);
    const ReverseModel model{.variance = g.variance, .clip = 1, .decoder = Decoder::tanh};
    for (const int k : {0, 1}) {
      const std::vector<double> x0 = image(k);
      Bound bound{.prior = prior_bits<double>(s, x0)};
      for (int t = 1; t <= s.T(); ++t) {
        const auto eps = noise(k, t);
        bound.terms.push_back(bound_term<double>(s, t, model, x0, eps,
                                                 output(s, t, x0, eps, is_learned(g.variance))));
      }
      const auto near = [&](double got, double want, double tolerance, const char* what) {
        EXPECT_NEAR(got, want, tolerance + kRelative * want)
            << g.schedule << " " << what << " " << k;
      };
      const auto term = [&](int i) { return bound.terms[i].bits_per_dim; };
      near(term(0), g.decoder[k], 0, "decoder");  // of no log-variance's difference
      near(term(1), g.first[k], kTermTol, "terms[1]");
      near(term(s.T() / 2), g.middle[k], kTermTol, "terms[T/2]");
      near(term(s.T() - 1), g.last[k], kTermTol, "terms[T-1]");
      near(bound.prior, g.prior[k], kPriorTol, "prior");
      near(bound.total(), g.total[k], s.T() * kTermTol, "total");
    }
  }
}

TEST(LikelihoodGolden, TheDecoderIsImprovedDiffusions) {
  struct Case {
    double x, mean, log_scale, nats;
  };
  constexpr Case kCases[] = {{-1, -0.99, -4, -0.9942403016208918},
                             {-253 / 255.0, -0.9, -3, -4.471726041473419},
                             {-1 / 255.0, 0.01, -5, -2.7307963372569937},
                             {0, 0, -6, -0.12089710283720395},
                             {1 / 255.0, -0.3, -2, -6.279820650543327},
                             {0.9, 0.95, -3.5, -3.629376631843385},
                             {253 / 255.0, 0.99, -4.5, -1.3058957807879807},
                             {1, 0.97, -4, -2.558648864622053},
                             {-1, 0.5, -3, -27.631021115928547},
                             {1, -0.5, -3, -27.631021115928547},
                             {0, 0.9, -5, -27.631021115928547}};
  for (const Case& c : kCases) {
    const double got = log_level_mass(c.x, c.mean, 2 * c.log_scale, Decoder::tanh).value;
    EXPECT_NEAR(got, c.nats, 1e-9) << c.x << " " << c.mean;
  }
}

}  // namespace
}  // namespace ddpm
