// Losses, bound, decoder, re-spacing and time sampling against OpenAI's code.
#include <gtest/gtest.h>

#include <cmath>
#include <optional>

#include "ddpm/base/error.h"
#include "ddpm/diffusion/golden_test.h"
#include "ddpm/diffusion/objective.h"
#include "ddpm/diffusion/respacing.h"
#include "ddpm/diffusion/time_sampler.h"

namespace ddpm {
namespace {

constexpr double kTol = 1e-9;  // relative to max(1, |value|), as the goldens advise for float64

const golden::value& file() {
  static const golden::value loaded = golden::load("openai_losses.json");
  return loaded;
}

double number(const golden::value& list, std::size_t i) {
  return list.as_array()[i].to_number<double>();
}

// One image of a golden batch: x0, eps and the network's output at x_t, whose variance channels
// follow the mean's.
struct Image {
  std::vector<double> x0, eps, x_t, out;

  // `draw`: the noise is the draw's of a trajectory instead of eps's formula.
  Image(const Schedule& s, int t, Variance variance, int first, int n,
        std::optional<int> draw = {}) {
    const double time = network_time(t);
    for (int k = first; k < first + n; ++k) {
      x0.push_back(golden::x0(k));
      eps.push_back(draw ? golden::noise(*draw, k) : golden::eps(k));
      x_t.push_back(std::sqrt(s.alpha_bar(t)) * x0.back() +
                    std::sqrt(s.one_minus_alpha_bar(t)) * eps.back());
      out.push_back(golden::model(x_t.back(), time));
    }
    if (!is_learned(variance)) return;
    for (int k = 0; k < n; ++k) {
      const double wave = std::sin(0.7 * x_t[k] + time / 200);
      out.push_back(variance == Variance::learned ? -4 + wave : 1.1 * wave);
    }
  }
};

LossConfig config_of(const std::string& kind, Variance variance, int T) {
  LossConfig config;
  config.decoder = Decoder::tanh;
  config.kind = kind == "kl"            ? Loss::kl
                : kind == "rescaled_kl" ? Loss::rescaled_kl
                : is_learned(variance)  ? Loss::hybrid
                                        : Loss::simple;
  if (kind == "mse") config.weight = 1.0 / T;  // theirs adds L_{t-1} itself
  return config;
}

TEST(BoundGolden, LossesAgreeWithOpenAi) {
  int cases = 0, derivatives = 0;
  for (const auto& c : file().at("losses").as_array()) {
    const Schedule s = golden::schedule(c);
    const Prediction p = parse_prediction(golden::text(c.at("prediction")));
    const Variance v = parse_variance(golden::text(c.at("variance")));
    const std::string kind = golden::text(c.at("kind"));
    const Objective loss(s, p, v, config_of(kind, v, s.T()));
    const auto times = golden::list<int>(c.at("t"));
    const auto* d_want = c.as_object().if_contains("d_out");
    for (std::size_t b = 0; b < times.size(); ++b) {
      const Image image(s, times[b], v, static_cast<int>(b) * 48, 48);
      std::vector<double> d_out(image.out.size());
      const double got = loss.operator()<double>(times[b], image.x0, image.eps, image.out,
                                                 1.0 / static_cast<double>(times.size()), d_out);
      const std::string what = s.spec() + " " + std::string(to_string(p)) + " " +
                               std::string(to_string(v)) + " " + kind +
                               " t = " + std::to_string(times[b]);
      golden::expect_close(got, number(c.at("terms").at("loss"), b), kTol, what);
      ++cases;
      if (!d_want) continue;
      ++derivatives;
      for (std::size_t i = 0; i < d_out.size(); ++i) {
        const double want = number(*d_want, b * d_out.size() + i);
        EXPECT_NEAR(d_out[i], want, kTol * std::max(1.0, std::abs(want))) << what << " " << i;
      }
    }
  }
  EXPECT_EQ(cases, 4 * 72);
  EXPECT_EQ(derivatives, 4 * 6);
}

TEST(BoundGolden, EveryTermOfTheBoundAgreesWithOpenAi) {
  int cases = 0;
  for (const auto& c : file().at("bound").as_array()) {
    const Schedule s = golden::schedule(c);
    ReverseModel model{.prediction = parse_prediction(golden::text(c.at("prediction"))),
                       .variance = parse_variance(golden::text(c.at("variance"))),
                       .decoder = Decoder::tanh};
    if (c.at("clip").as_bool()) model.clip = 1;
    const auto times = golden::list<int>(c.at("t"));
    for (std::size_t image = 0; image < 2; ++image) {
      Bound bound;
      bound.terms.resize(times.size());
      for (std::size_t i = 0; i < times.size(); ++i) {
        const int t = times[i];
        const Image x(s, t, model.variance, static_cast<int>(image) * 48, 48, s.T() - t);
        const BoundTerm term = bound_term<double>(s, t, model, x.x0, x.eps, x.out);
        const std::string what = s.spec() + " t = " + std::to_string(t);
        golden::expect_close(term.bits_per_dim, number(c.at("terms").as_array()[image], i), kTol,
                             what);
        golden::expect_close(term.x0_mse, number(c.at("x0_mse").as_array()[image], i), kTol, what);
        golden::expect_close(term.eps_mse, number(c.at("eps_mse").as_array()[image], i), kTol,
                             what);
        bound.terms[t - 1] = term;
        if (i == 0) bound.prior = prior_bits<double>(s, x.x0);
        ++cases;
      }
      golden::expect_close(bound.prior, number(c.at("prior"), image), 1e-12, "prior");
      golden::expect_close(bound.total(), number(c.at("total"), image), kTol, "total");
      EXPECT_DOUBLE_EQ(bound.total(), bound.rate() + bound.distortion());
    }
  }
  EXPECT_EQ(cases, 4 * 2 * 100);
}

// The prior is about 1e-5: relative to itself. Theirs is a difference of numbers near 1, and their
// alpha_bar has lost T roundings: 1e-10 of it.
TEST(BoundGolden, PriorAgreesWithOpenAi) {
  for (const auto& c : file().at("prior").as_array()) {
    const Schedule s = golden::schedule(c);
    for (int b = 0; b < 4; ++b) {
      std::vector<double> x0;
      for (int k = 0; k < 48; ++k) x0.push_back(golden::x0(b * 48 + k));
      const double want = number(c.at("bits_per_dim"), b);
      EXPECT_NEAR(prior_bits<double>(s, x0), want, 1e-10 * want + 1e-16);
    }
  }
}

// Their log-variances come from 1 - (float64 product), which is off by 1e-16 T; the smallest 1 -
// alpha_bar here is 4e-5.
TEST(BoundGolden, LogVariancesAgreeWithOpenAi) {
  for (const auto& c : file().at("log_variances").as_array()) {
    const Schedule s = golden::schedule(c);
    const auto times = golden::list<int>(c.at("t"));
    for (std::size_t i = 0; i < times.size(); ++i) {
      const int t = times[i];
      const LogVariance small = log_variance_of(s, t, Variance::fixed_small);
      const LogVariance large = log_variance_of(s, t, Variance::fixed_large);
      EXPECT_NEAR(small.offset, number(c.at("posterior"), i), 1e-10) << s.spec() << " " << t;
      EXPECT_NEAR(large.offset, number(c.at("fixed_large"), i), 1e-10) << s.spec() << " " << t;
      EXPECT_EQ(small.slope, 0);
      EXPECT_EQ(large.slope, 0);
    }
  }
}

TEST(BoundGolden, MeanVarianceAndX0AgreeWithOpenAi) {
  for (const auto& c : file().at("p_mean_variance").as_array()) {
    const Schedule s = golden::schedule(c);
    const Variance variance = parse_variance(golden::text(c.at("variance")));
    ReverseModel model{.prediction = parse_prediction(golden::text(c.at("prediction"))),
                       .variance = variance};
    if (c.at("clip").as_bool()) model.clip = 1;
    const auto times = golden::list<int>(c.at("t"));
    const auto index = golden::list<int>(c.at("flat_index"));
    for (std::size_t j = 0; j < index.size(); ++j) {
      const int b = index[j] / 48, i = index[j] % 48;
      const Image x(s, times[b], variance, b * 48, 48);
      const double v = is_learned(variance) ? x.out[48 + i] : 0;
      const ElementTerm e = ReverseStep(s, times[b], model)(x.x0[i], x.eps[i], x.out[i], v);
      const std::string what = s.spec() + " t = " + std::to_string(times[b]);
      golden::expect_close(e.mean, number(c.at("mean"), j), kTol, what);
      golden::expect_close(e.log_variance, number(c.at("log_variance"), j), kTol, what);
      golden::expect_close(e.x0, number(c.at("pred_xstart"), j), kTol, what);
    }
  }
}

// A mass p is a difference of two numbers near 1 that are off by 2^-53 each: its logarithm is off
// by 2^-52 / p in theirs.
TEST(BoundGolden, LevelMassAgreesWithOpenAi) {
  for (const auto& c : file().at("levels").as_array()) {
    const std::size_t n = c.at("x").as_array().size();
    for (std::size_t i = 0; i < n; ++i) {
      const double want = number(c.at("log_prob"), i);
      const LogMass mass = log_level_mass(number(c.at("x"), i), number(c.at("means"), i),
                                          2 * number(c.at("log_scales"), i), Decoder::tanh);
      EXPECT_NEAR(mass.value, want, kTol + 0x1p-52 / std::exp(want)) << i;
    }
  }
}

TEST(BoundGolden, RespacingKeepsTheTimesOfOpenAi) {
  for (const auto& c : file().at("respacing").as_array()) {
    const int T = c.at("T").to_number<int>();
    const std::string text = golden::text(c.at("text"));
    if (c.as_object().if_contains("refused")) {
      EXPECT_THROW(parse_respacing(T, text), Error) << text;
    } else {
      EXPECT_EQ(parse_respacing(T, text), golden::list<int>(c.at("t"))) << T << " " << text;
    }
  }
}

// Their beta is 1 - ratio of two float64 products of up to T factors: off by 1e-13.
TEST(BoundGolden, RespacedScheduleAgreesWithOpenAi) {
  for (const auto& c : file().at("respaced").as_array()) {
    const Schedule original = golden::schedule(c);
    const Respaced r = respace(original, parse_respacing(original.T(), golden::text(c.at("text"))));
    EXPECT_EQ(r.times, golden::list<int>(c.at("t")));
    for (int t = 1; t <= r.schedule.T(); ++t) {
      EXPECT_NEAR(r.schedule.beta(t), number(c.at("betas"), t - 1), 1e-13) << t;
      const double log_variance = number(c.at("posterior_log_variance"), t - 1);
      EXPECT_NEAR(log_posterior_variance(r.schedule, t), log_variance, 1e-9) << t;
    }
  }
}

// improved-diffusion's history keeps weights that are probabilities already.
TEST(BoundGolden, LossSecondMomentWeighsAsOpenAi) {
  for (const auto& c : file().at("resampler").as_array()) {
    const int T = c.at("T").to_number<int>();
    const auto of = [&](const char* key) { return c.at(key).to_number<double>(); };
    const auto sampler = make_time_sampler(
        fmt::format("loss_second_moment,history={},uniform={}",
                    c.at("history_per_term").to_number<int>(), of("uniform_prob")),
        Schedule::linear(T));
    int warm = -1;
    for (int u = 0; u < c.at("updates").to_number<int>(); ++u) {
      const int t0 = c.at("t_factor").to_number<int>() * u % T;
      const int t = t0 + 1;
      const double loss = 0.5 + 0.4 * std::sin(of("loss_factor") * u) + 0.002 * t0;
      sampler->observe(std::span(&t, 1), std::span(&loss, 1));
      if (warm < 0 && sampler->draw(1, 0, 1).weight != 1) warm = u;
    }
    EXPECT_EQ(warm, c.at("warmed_up_after_update").to_number<int>());
    std::vector<int> seen(T);
    constexpr int kDraws = 20'000;
    for (int i = 0; i < kDraws; ++i) {
      const TimeDraw d = sampler->draw(7, i, 1);
      EXPECT_NEAR(d.weight, number(c.at("importance_weight"), d.t - 1), 1e-12) << d.t;
      ++seen[d.t - 1];
    }
    for (int t = 1; t <= T; ++t) {  // a binomial's five standard deviations
      const double p = number(c.at("probabilities"), t - 1);
      EXPECT_NEAR(seen[t - 1], kDraws * p, 5 * std::sqrt(kDraws * p * (1 - p))) << t;
    }
  }
}

}  // namespace
}  // namespace ddpm
