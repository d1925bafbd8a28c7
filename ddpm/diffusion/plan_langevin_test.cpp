// Facts of docs/langevin.md.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cmath>

#include "ddpm/diffusion/plan_interpreter_test.h"
#include "ddpm/diffusion/random_schedule_test.h"

namespace ddpm {
namespace {

const ModelView kPlain = {Prediction::eps, Variance::fixed_large, Limit::no_limit(), EpsFrom::raw};

Row langevin_row(const Schedule& s, int t, double eps) {
  return parse_plan(fmt::format("langevin:1,eps={},t={}", eps, t), s, kPlain).at(0);
}

// x' = x + eps/2 score + sqrt(eps) z, where the network puts out -sqrt(1 - alpha_bar) score.
RC_GTEST_PROP(Langevin, RowIsTheStatedUpdate, ()) {
  const Schedule s = any_schedule();
  const int t = any_time(s);
  const double eps = any_in(1e-6, 1);
  const Row row = langevin_row(s, t, eps);
  const Step step = as_step(row);
  const double out_of_score = -std::sqrt(s.one_minus_alpha_bar(t));
  RC_ASSERT(row.time == network_time(t) && row.limit.kind == Limit::Kind::none);
  RC_ASSERT(step.x == 1);
  RC_ASSERT(std::abs(step.out * out_of_score - eps / 2) <= 4e-16 * eps);
  RC_ASSERT(std::abs(step.z * step.z - eps) <= 4e-16 * eps);
}

// On N(0, s^2) the score is -x / s^2 and a step is x' = (1 - eps / 2 s^2) x + sqrt(eps) z.
struct Chain {
  double slope, variance_added;

  Chain(double s2, double eps) {
    const Schedule schedule = Schedule::linear();
    const int t = 300;
    const Step step = as_step(langevin_row(schedule, t, eps));
    const double out = std::sqrt(schedule.one_minus_alpha_bar(t)) / s2;  // of x = 1
    slope = step.x + step.out * out;
    variance_added = step.z * step.z;
  }
};

// Iterating the variance 20,000 times from 0 and from 100 ends at s^2 / (1 - eps / 4 s^2): slope^2
// <= (1 - 2 / 100)^2 leaves nothing of the start, and 20,000 steps of rounding stay below 1e-11.
TEST(Langevin, StationaryVarianceIsSSquaredOverOneMinusEpsOverFourSSquared) {
  for (const double s2 : {0.04, 0.5, 1.0, 3.0}) {
    for (const double of_s2 : {0.04, 0.5, 2.0, 3.9}) {
      const double eps = of_s2 * s2, want = s2 / (1 - eps / (4 * s2));
      const Chain chain(s2, eps);
      for (const double start : {0.0, 100.0}) {
        double variance = start;
        for (int i = 0; i < 20'000; ++i) {
          variance = chain.slope * chain.slope * variance + chain.variance_added;
        }
        EXPECT_NEAR(variance, want, 1e-11 * want) << s2 << ' ' << eps;
      }
    }
  }
}

// Two starts that share their noise approach each other as |1 - eps / 2 s^2|^n.
TEST(Langevin, ForgetsItsStart) {
  const Schedule s = Schedule::linear();
  const double s2 = 0.5, eps = 0.1;
  const Plan plan = parse_plan("langevin:200,eps=0.1,t=300", s, kPlain);
  const Network network = [&](const Vector& x, double) {
    Vector out = x;
    for (double& value : out) value *= std::sqrt(s.one_minus_alpha_bar(300)) / s2;
    return out;
  };
  const Noise noise = [](int row, int) { return std::sin(37.0 * row); };  // of both elements
  const Vector x = run(plan, network, noise, {5, -3});
  EXPECT_NEAR(x[0] - x[1], 8 * std::pow(1 - eps / (2 * s2), 200), 1e-13);
  EXPECT_LT(std::abs(x[0] - x[1]), 1e-8);
}

// Above eps = 4 s^2 the step overshoots more than it pulls back.
TEST(Langevin, DivergesWhenTheStepPassesFourTimesTheVariance) {
  EXPECT_LT(std::abs(Chain(0.5, 1.99).slope), 1);
  EXPECT_GT(std::abs(Chain(0.5, 2.01).slope), 1);
}

// Two modes at -1 and 1 of variance 0.09. The chain's density is carried over a grid by its own
// transition kernel until it rests.
class Mixture {
 public:
  static constexpr double kVariance = 0.09, kStep = 0.01;
  static constexpr int kPoints = 501;  // -2.5..2.5: eight deviations beyond the modes

  static double at(int i) { return (i - (kPoints - 1) * 0.5) * kStep; }
  static double density(double x) {
    return (normal(x - 1, kVariance) + normal(x + 1, kVariance)) / 2;
  }
  static double score(double x) {
    const double a = normal(x - 1, kVariance), b = normal(x + 1, kVariance);
    return -(a * (x - 1) + b * (x + 1)) / (a + b) / kVariance;
  }
  static double normal(double x, double variance) {
    return std::exp(-x * x / (2 * variance)) / std::sqrt(6.283185307179586 * variance);
  }

  // E x^2 of the chain at rest less the true one, 1 + variance.
  static double bias(double eps) {
    const Schedule s = Schedule::linear();
    const Step step = as_step(langevin_row(s, 300, eps));
    Vector mean(kPoints), p(kPoints);
    for (int i = 0; i < kPoints; ++i) {
      const double out = -std::sqrt(s.one_minus_alpha_bar(300)) * score(at(i));
      mean[i] = step.x * at(i) + step.out * out;
      p[i] = density(at(i));
    }
    // Within a mode the chain relaxes as e^(-n eps / 2 s^2): 16 relaxation times.
    const int steps = static_cast<int>(32 * kVariance / eps);
    const Vector kernel = kernel_of(mean, step.z * step.z);
    for (int n = 0; n < steps; ++n) p = carried(p, kernel);
    double moment = 0, mass = 0;
    for (int i = 0; i < kPoints; ++i) moment += at(i) * at(i) * p[i], mass += p[i];
    return moment / mass - (1 + kVariance);
  }

 private:
  // [from][to]
  static Vector kernel_of(const Vector& mean, double variance) {
    Vector kernel;
    for (int i = 0; i < kPoints; ++i) {
      for (int j = 0; j < kPoints; ++j) kernel.push_back(normal(at(j) - mean[i], variance) * kStep);
    }
    return kernel;
  }

  static Vector carried(const Vector& p, const Vector& kernel) {
    Vector next(kPoints, 0.0);
    for (int i = 0; i < kPoints; ++i) {
      for (int j = 0; j < kPoints; ++j) next[j] += p[i] * kernel[i * kPoints + j];
    }
    return next;
  }
};

// The bias is c eps (1 + O(eps / s^2)): halving eps halves it, within the next order's eps / 2 s^2
// = 11 % and 6 %.
TEST(Langevin, BiasOnTwoModesFallsAsEps) {
  const double b1 = Mixture::bias(0.02), b2 = Mixture::bias(0.01), b3 = Mixture::bias(0.005);
  EXPECT_GT(b3, 0);
  EXPECT_NEAR(b1 / b2, 2, 2 * 0.11);
  EXPECT_NEAR(b2 / b3, 2, 2 * 0.06);
}

// Sec. 3.2 of the paper: with sigma_t^2 = beta_t the ancestral update is the deterministic step
// (DDIM's, the probability flow) and then a Langevin step of size beta_t: the same factor of x, the
// same noise sqrt(beta_t), and a drift of beta_t / 2 score, but for a relative beta_t / (1 -
// alpha_bar_t), by which the level itself moves.
RC_GTEST_PROP(Langevin, AncestralStepIsTheFlowAndALangevinStepOfSizeBeta, ()) {
  const Schedule s = any_schedule();
  RC_PRE(s.T() >= 2);
  const int t = *rc::gen::inRange(2, s.T() + 1);
  const double beta = s.beta(t), var_t = s.one_minus_alpha_bar(t);
  const Step ancestral = as_step(ddpm_plan(s, {t, t - 1}, kPlain).at(0));
  const Step flow = as_step(ddim_plan(s, {t, t - 1}, 0, kPlain).at(0));
  const Step langevin = as_step(langevin_row(s, t, beta));
  const double scale = 1 / std::sqrt(s.alpha(t));  // both steps also scale x by it
  RC_ASSERT(std::abs(ancestral.x - flow.x) <= 1e-12 * flow.x / s.alpha_bar(t));
  RC_ASSERT(std::abs(ancestral.z - langevin.z) <= 1e-12);
  const double drift = ancestral.out - flow.out;
  RC_ASSERT(std::abs(drift / (langevin.out * scale) - 1) <=
            beta / var_t + 1e-11 / (beta * s.alpha_bar(t)));
}

// Song & Ermon 2019, Algorithm 1: a step grows as the level's variance.
TEST(AnnealedLangevin, StepsGrowAsSigmaSquared) {
  const Plan plan = parse_plan("ald:5,steps=3,eps=1e-5", Schedule::linear(), kPlain);
  ASSERT_EQ(plan.size(), 15U);
  const double least = 1 / std::sqrt(1 / (plan.back().c_in * plan.back().c_in) - 1);
  for (std::size_t i = 0; i < plan.size(); ++i) {
    const double sigma = std::sqrt(1 / (plan[i].c_in * plan[i].c_in) - 1);
    const double size = plan[i].updates[0].c_z * plan[i].updates[0].c_z;
    EXPECT_NEAR(size / (1e-5 * sigma * sigma * least * least), 1, 1e-9) << i;
    EXPECT_EQ(*plan[i].time, *plan[i / 3 * 3].time);
  }
}

// Annealed to the end, a Gaussian is sampled with its variance but for the discretisation, a tenth
// or so: at each level steps of 0.2 sigma^2 forget the level before.
TEST(AnnealedLangevin, SamplesAGaussian) {
  const Schedule s = Schedule::linear();
  const double s2 = 0.25;
  const Plan plan = parse_plan("ald:40,steps=50", s, kPlain);
  double variance = plan.initial_scale * plan.initial_scale;
  for (const Row& row : plan) {
    const double sigma2 = 1 / (row.c_in * row.c_in) - 1;
    const Step step = as_step(row);
    const double slope = step.x + step.out * std::sqrt(sigma2) / (s2 + sigma2);
    variance = slope * slope * variance + step.z * step.z;
  }
  EXPECT_NEAR(variance, s2, 0.1 * s2);
}

// Corrector, then ancestral step; no corrector leaves ancestral sampling.
TEST(PredictorCorrector, IsAncestralSamplingWithLangevinStepsBetween) {
  const Schedule s = Schedule::linear();
  const Plan pc = parse_plan("pc:10,snr=0.2,corrections=2", s, kPlain);
  const Plan ancestral = parse_plan("ddpm:10", s, kPlain);
  ASSERT_EQ(pc.size(), 30U);
  for (std::size_t i = 0; i < 30; ++i) {
    const Update& update = pc[i].updates.at(0);
    EXPECT_EQ(pc[i].time, ancestral[i / 3].time);
    const int t = static_cast<int>(*pc[i].time) + 1;
    if (i % 3 == 2) {
      EXPECT_EQ(update.snr, 0);
      EXPECT_EQ(update.c_z, ancestral[i / 3].updates[0].c_z);
    } else {
      EXPECT_DOUBLE_EQ(update.snr, 0.2 * std::sqrt(s.alpha(t)));
      EXPECT_DOUBLE_EQ(update.terms[0].c, -1 / std::sqrt(s.one_minus_alpha_bar(t)));  // the score
    }
  }
  EXPECT_EQ(parse_plan("pc:10,corrections=0", s, kPlain).size(), 10U);
}

}  // namespace
}  // namespace ddpm
