#include "ddpm/diffusion/objective.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cmath>

#include "ddpm/base/error.h"
#include "ddpm/diffusion/golden_test.h"
#include "ddpm/diffusion/loss.h"
#include "ddpm/diffusion/time_line.h"

namespace ddpm {
namespace {

using Doubles = std::vector<double>;
constexpr Prediction kPredictions[] = {Prediction::eps, Prediction::x0, Prediction::v,
                                       Prediction::mu, Prediction::score};
constexpr Variance kVariances[] = {Variance::fixed_small, Variance::fixed_large, Variance::learned,
                                   Variance::learned_range, Variance::optimal};

// An output that is off its target by about 0.2 in x0, and plausible variance channels.
struct Image {
  Doubles x0, eps, out;

  Image(const Schedule& s, int t, Prediction p, Variance v, int n = 7) {
    const Target to = target_of(s, t, p);
    for (int k = 0; k < n; ++k) {
      x0.push_back(golden::x0(k));  // levels; k = 0.. has none at the ends
      eps.push_back(golden::eps(k));
      const double scale = std::abs(to.x0) + std::abs(to.eps);
      out.push_back(to.x0 * x0[k] + to.eps * eps[k] + 0.03 * scale * std::sin(2.0 * k + 1));
    }
    x0[0] = -1;
    x0[1] = 1;
    if (!is_learned(v)) return;
    const double usual = v == Variance::learned ? log_posterior_variance(s, t) : 0;
    for (int k = 0; k < n; ++k) out.push_back(usual + 0.4 * std::sin(1.3 * k));
  }
};

double value(const Objective& loss, int t, const Image& image, const Doubles& out) {
  Doubles unused(out.size());
  return loss.operator()<double>(t, image.x0, image.eps, out, 1, unused);
}

Doubles derivative(const Objective& loss, int t, const Image& image, double scale = 1) {
  Doubles d(image.out.size());
  loss.operator()<double>(t, image.x0, image.eps, image.out, scale, d);
  return d;
}

// The four-point difference: off by h^4 / 30 times the fifth derivative, and rounding.
double numeric(const Objective& loss, int t, const Image& image, std::size_t i, double h) {
  const auto at = [&](double step) {
    Doubles out = image.out;
    out[i] += step;
    return value(loss, t, image, out);
  };
  return (8 * (at(h) - at(-h)) - (at(2 * h) - at(-2 * h))) / (12 * h);
}

// Steps of 1e-3 of a standard deviation of p, or of the log-variance: fifth derivatives are then
// below 1e3 of the scale of the loss, 1e-12 / 30 of it lost, and rounding 1e-15 / 1e-3 of it.
void expect_derivative(const Schedule& s, int t, Prediction p, Variance v, const LossConfig& c) {
  const Doubles optimal(s.T(), 2e-3);
  const Objective loss(s, p, v, c, v == Variance::optimal ? optimal : Doubles());
  const Image image(s, t, p, v);
  const Doubles d = derivative(loss, t, image);
  const double size = std::abs(value(loss, t, image, image.out));
  for (std::size_t i = 0; i < d.size(); ++i) {
    const bool mean_part = i < image.x0.size();
    if (c.kind == Loss::hybrid && mean_part) continue;  // stop-gradient: the next test
    const Linear read = p == Prediction::eps || p == Prediction::score || p == Prediction::v
                            ? eps_from(s, t, p)
                            : x0_from(s, t, p);
    const double sigma = std::sqrt(s.posterior(std::max(t, 2)).variance);
    const double h = mean_part ? 1e-3 * std::min(1.0, sigma) / std::abs(read.out) : 1e-3;
    const double tolerance = 1e-9 * std::max(size, 1.0) / (mean_part ? h * 1e3 : 1);
    EXPECT_NEAR(d[i], numeric(loss, t, image, i, h), tolerance)
        << to_string(c) << " " << to_string(p) << " " << to_string(v) << " t = " << t
        << " i = " << i;
  }
}

TEST(Objective, EveryDerivativeIsTheNumericOne) {
  const Schedule s = Schedule::linear(100, 1e-3, 0.2);
  for (const char* text : {"simple", "kl", "kl,decoder=tanh", "rescaled_kl", "hybrid",
                           "hybrid,weight=0.5,decoder=tanh", "min_snr", "min_snr,gamma=1", "p2",
                           "p2,gamma=0.5,k=2", "vdm"}) {
    const LossConfig c = parse_loss(text);
    const bool trains_variance =
        std::string(text).find("kl") == 0 || c.kind == Loss::hybrid || c.kind == Loss::rescaled_kl;
    for (const Prediction p : kPredictions) {
      for (const Variance v : kVariances) {
        if (is_learned(v) && !trains_variance) continue;
        for (const int t : {1, 2, 30, 100}) expect_derivative(s, t, p, v, c);
      }
    }
  }
}

// Nichol & Dhariwal 2021, Sec. 3.1: the bound's part of hybrid leaves the mean alone.
TEST(Objective, HybridTrainsTheMeanAsSimpleAndTheVarianceAsTheBound) {
  const Schedule s = Schedule::linear(100, 1e-3, 0.2);
  for (const Prediction p : kPredictions) {
    for (const int t : {1, 50}) {
      const Image image(s, t, p, Variance::learned_range);
      Image mean_only = image;
      mean_only.out.resize(7);
      const Doubles hybrid =
          derivative(Objective(s, p, Variance::learned_range, parse_loss("hybrid")), t, image);
      const Doubles simple =
          derivative(Objective(s, p, Variance::fixed_small, parse_loss("simple")), t, mean_only);
      const Doubles bound =
          derivative(Objective(s, p, Variance::learned_range, parse_loss("kl")), t, image);
      for (int i = 0; i < 7; ++i) {
        EXPECT_EQ(hybrid[i], simple[i]);
        EXPECT_NEAR(hybrid[7 + i], 0.001 * 100 * bound[7 + i],
                    1e-15 + 1e-14 * std::abs(bound[7 + i]));
      }
    }
  }
}

TEST(Objective, HybridWithAFixedVarianceIsSimple) {
  const Schedule s = Schedule::linear(100);
  const Image image(s, 7, Prediction::eps, Variance::fixed_large);
  const Objective hybrid(s, Prediction::eps, Variance::fixed_large, parse_loss("hybrid"));
  const Objective simple(s, Prediction::eps, Variance::fixed_large, parse_loss("simple"));
  EXPECT_EQ(value(hybrid, 7, image, image.out), value(simple, 7, image, image.out));
}

// Runs of older versions, whose loss was simple_loss(), go on bit for bit.
TEST(Objective, SimpleHasTheBitsOfSimpleLoss) {
  const Schedule s = Schedule::linear();
  constexpr int kElements = 49;  // no power of two
  std::vector<float> x0, eps, out, target(kElements), d(kElements), expected(kElements);
  for (int k = 0; k < kElements; ++k) {
    x0.push_back(static_cast<float>(golden::x0(k)));
    eps.push_back(static_cast<float>(golden::eps(k)));
    out.push_back(static_cast<float>(std::sin(0.7 * k)));
  }
  for (const Prediction p : kPredictions) {
    const Objective loss(s, p, Variance::fixed_large, {});
    for (const int t : {1, 2, 321, 1000}) {
      make_target(s, t, p, x0, eps, target);
      const double value = simple_loss(target, out, 1.0 / 24, expected);
      EXPECT_EQ(loss.operator()<float>(t, x0, eps, out, 1.0 / 24, d), value);
      EXPECT_EQ(d, expected);
    }
  }
}

TEST(Objective, RescaledKlIsTTimesKl) {
  const Schedule s = Schedule::linear(100);
  const Image image(s, 7, Prediction::eps, Variance::fixed_large);
  const Objective kl(s, Prediction::eps, Variance::fixed_large, parse_loss("kl"));
  const Objective rescaled(s, Prediction::eps, Variance::fixed_large, parse_loss("rescaled_kl"));
  EXPECT_DOUBLE_EQ(value(rescaled, 7, image, image.out), 100 * value(kl, 7, image, image.out));
}

TEST(Objective, ScaleMultipliesTheDerivativeAlone) {
  const Schedule s = Schedule::linear(100);
  const Image image(s, 7, Prediction::v, Variance::learned_range);
  const Objective loss(s, Prediction::v, Variance::learned_range, parse_loss("hybrid"));
  const Doubles one = derivative(loss, 7, image, 1), eighth = derivative(loss, 7, image, 0.125);
  for (std::size_t i = 0; i < one.size(); ++i) EXPECT_EQ(eighth[i], one[i] / 8);
}

// What the network puts out is a matter of taste to the weighted losses: the same x0 costs the
// same. Each reading loses a few roundings of the larger of its two terms, at most 1 / 0.04 here.
TEST(Objective, WeightedLossesDependOnX0AloneNotOnItsReading) {
  const Schedule s = Schedule::linear(100, 1e-3, 0.2);
  for (const char* text : {"min_snr", "p2,gamma=0.7,k=2", "vdm", "kl"}) {
    for (const int t : {2, 20, 70}) {
      const Image image(s, t, Prediction::x0, Variance::fixed_large);
      const Objective by_x0(s, Prediction::x0, Variance::fixed_large, parse_loss(text));
      const double want = value(by_x0, t, image, image.out);
      for (const Prediction p : kPredictions) {
        Doubles out;
        for (int k = 0; k < 7; ++k) {
          const double x_t = std::sqrt(s.alpha_bar(t)) * image.x0[k] +
                             std::sqrt(s.one_minus_alpha_bar(t)) * image.eps[k];
          const Linear x0 = x0_from(s, t, p);
          out.push_back((image.out[k] - x0.x * x_t) / x0.out);
        }
        const Objective loss(s, p, Variance::fixed_large, parse_loss(text));
        EXPECT_NEAR(value(loss, t, image, out), want, 1e-12 * want) << text << " " << to_string(p);
      }
    }
  }
}

// Hang et al. 2023, Sec. 3.4: min(SNR, gamma) for x0, over SNR for eps, over SNR + 1 for v.
TEST(Objective, MinSnrAndP2HaveTheirPapersWeights) {
  const Schedule s = Schedule::linear(100, 1e-3, 0.2);
  for (int t = 1; t <= 100; ++t) {
    const double snr = s.snr(t), least = std::min(snr, 5.0);
    const auto weight = [&](Prediction p, const char* text) {
      return Objective(s, p, Variance::fixed_large, parse_loss(text)).weight(t);
    };
    EXPECT_NEAR(weight(Prediction::x0, "min_snr") / least, 1, 1e-14) << t;
    EXPECT_NEAR(weight(Prediction::eps, "min_snr") / (least / snr), 1, 1e-14) << t;
    EXPECT_NEAR(weight(Prediction::v, "min_snr") / (least / (snr + 1)), 1, 1e-14) << t;
    EXPECT_NEAR(weight(Prediction::eps, "p2") * (1 + snr), 1, 1e-14) << t;
    // exact::pow loses |y log x| roundings: log below 8.
    EXPECT_NEAR(weight(Prediction::eps, "p2,gamma=0.5,k=3") * std::sqrt(3 + snr), 1, 1e-14) << t;
    EXPECT_EQ(weight(Prediction::eps, "simple"), 1);
  }
}

// Kingma et al. 2021, Sec. 4.1: T L_{t-1} of T steps with the posterior's variance becomes the loss
// of continuous time as T grows. The slope at t instead of the step from t - 1 to t is off by about
// half a step's change of log SNR, 18.3 / 2000.
TEST(Objective, VdmIsTheLimitOfTheBound) {
  const Schedule s = Schedule::parse("logsnr:1000");
  const Objective vdm(s, Prediction::eps, Variance::fixed_small, parse_loss("vdm"));
  const Objective kl(s, Prediction::eps, Variance::fixed_small, parse_loss("rescaled_kl"));
  for (const int t : {10, 300, 600, 990}) {
    const Image image(s, t, Prediction::eps, Variance::fixed_small);
    const double want = value(kl, t, image, image.out);
    EXPECT_NEAR(value(vdm, t, image, image.out) / want, 1, 1.1 * 18.3 / 2000) << t;
  }
}

// Floats hold 2^-24: outputs near 1 move a difference of 0.03 by 2e-6 of itself, so a loss by 4e-6.
TEST(Objective, FloatsGiveTheLossOfTheirValues) {
  const Schedule s = Schedule::linear(100, 1e-3, 0.2);
  const Image image(s, 40, Prediction::eps, Variance::learned_range);
  const Objective loss(s, Prediction::eps, Variance::learned_range, parse_loss("hybrid"));
  const auto floats = [](const Doubles& x) { return std::vector<float>(x.begin(), x.end()); };
  const std::vector<float> x0 = floats(image.x0), eps = floats(image.eps), out = floats(image.out);
  std::vector<float> d(out.size());
  const double got = loss.operator()<float>(40, x0, eps, out, 1, d);
  EXPECT_NEAR(got / value(loss, 40, image, image.out), 1, 1e-5);
  const Doubles want = derivative(loss, 40, image);
  for (std::size_t i = 0; i < d.size(); ++i) EXPECT_NEAR(d[i], want[i], 1e-6);
}

TEST(Objective, IsFiniteAtZeroTerminalSnrOrRefused) {
  const Schedule s = Schedule::parse("linear:20,zero_snr=yes");
  for (const Prediction p : kPredictions) {
    for (const char* text : {"simple", "min_snr", "p2", "vdm", "hybrid"}) {
      const Image image(s, 20, p, Variance::fixed_small);
      const Objective loss(s, p, Variance::fixed_small, parse_loss(text));
      EXPECT_TRUE(std::isfinite(value(loss, 20, image, image.out))) << text << " " << to_string(p);
    }
    const bool blind = p == Prediction::eps || p == Prediction::score;
    if (blind) {
      EXPECT_THROW(Objective(s, p, Variance::fixed_small, parse_loss("kl")), Error);
      continue;
    }
    const Image image(s, 20, p, Variance::learned_range);
    const Objective loss(s, p, Variance::learned_range, parse_loss("kl"));
    EXPECT_TRUE(std::isfinite(value(loss, 20, image, image.out))) << to_string(p);
    for (const double d : derivative(loss, 20, image)) EXPECT_TRUE(std::isfinite(d));
  }
}

TEST(Objective, LossesWithoutTheBoundAreRefusedWithALearnedVariance) {
  const Schedule s = Schedule::linear(10);
  for (const char* text : {"simple", "min_snr", "p2", "vdm"}) {
    for (const Variance v : {Variance::learned, Variance::learned_range}) {
      EXPECT_THROW(Objective(s, Prediction::eps, v, parse_loss(text)), Error) << text;
    }
  }
  EXPECT_THROW(Objective(s, Prediction::eps, Variance::optimal, parse_loss("kl"), {0.1}), Error);
  LossConfig wrong;
  wrong.p2_k = 0;
  EXPECT_THROW(Objective(s, Prediction::eps, Variance::fixed_small, wrong), Error);
}

TEST(Loss, ParseReadsBackWhatToStringWrites) {
  for (const char* text : {"simple", "kl", "kl,decoder=tanh", "rescaled_kl", "hybrid",
                           "hybrid,weight=0.01", "hybrid,weight=0.01,decoder=tanh", "min_snr",
                           "min_snr,gamma=3", "p2", "p2,gamma=0.5,k=2", "vdm"}) {
    EXPECT_EQ(to_string(parse_loss(text)), text);
  }
}

TEST(Loss, ParseRefusesByName) {
  const std::pair<const char*, const char*> table[] = {{"hybird", "try 'hybrid'"},
                                                       {"simple:3", "expected simple"},
                                                       {"simple,gamma=3", "expected simple"},
                                                       {"min_snr,k=3", "expected gamma"},
                                                       {"p2,weight=3", "expected gamma or k"},
                                                       {"kl,decoder=erf", "expected exact or tanh"},
                                                       {"hybrid,weight=x", "expected a number"}};
  for (const auto& [text, part] : table) {
    try {
      parse_loss(text);
      ADD_FAILURE() << "accepted " << text;
    } catch (const Error& e) {
      EXPECT_NE(std::string(e.what()).find(part), std::string::npos) << e.what();
    }
  }
}

TEST(Loss, ChoicesThatThePaperFoundUnstableAreNamed) {
  const Schedule s = Schedule::linear(), zero = Schedule::parse("linear:1000,zero_snr=yes");
  const auto said = [](const Schedule& schedule, Prediction p, Variance v, const char* loss,
                       const char* part) {
    const std::string why = known_instability(schedule, p, v, parse_loss(loss));
    return part[0] == 0 ? why.empty() : why.find(part) != std::string::npos;
  };
  using enum Prediction;
  using enum Variance;
  EXPECT_TRUE(said(s, eps, fixed_large, "simple", ""));
  EXPECT_TRUE(said(s, eps, fixed_small, "kl", ""));
  EXPECT_TRUE(said(s, mu, fixed_large, "kl", ""));
  EXPECT_TRUE(said(s, eps, learned_range, "hybrid", ""));
  EXPECT_TRUE(said(s, v, fixed_large, "simple", ""));
  EXPECT_TRUE(said(s, eps, learned, "kl", "eps with a learned variance"));
  EXPECT_TRUE(said(s, mu, learned, "rescaled_kl", "poor samples"));
  EXPECT_TRUE(said(s, mu, fixed_small, "simple", "unweighted"));
  EXPECT_TRUE(said(s, x0, fixed_small, "simple", "x0"));
  EXPECT_TRUE(said(s, score, fixed_small, "simple", "1 / sqrt(1 - alpha_bar)"));
  EXPECT_TRUE(said(s, eps, learned_range, "kl", "loss_second_moment"));
  EXPECT_TRUE(said(zero, eps, fixed_small, "simple", "try v"));
  EXPECT_TRUE(said(zero, v, fixed_small, "simple", ""));
}

}  // namespace
}  // namespace ddpm
