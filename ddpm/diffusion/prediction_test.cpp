#include "ddpm/diffusion/prediction.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cmath>

#include "ddpm/base/error.h"
#include "ddpm/diffusion/random_schedule_test.h"

namespace ddpm {
namespace {

constexpr Prediction kAll[] = {Prediction::eps, Prediction::x0, Prediction::v, Prediction::mu,
                               Prediction::score};

struct Sample {
  Schedule schedule;
  int t;
  double x0, eps, x_t;
};

Sample any_sample() {
  Schedule s = any_schedule();
  const int t = any_time(s);
  const double x0 = any_in(-1, 1), eps = any_in(-3, 3);
  const double x_t = std::sqrt(s.alpha_bar(t)) * x0 + std::sqrt(s.one_minus_alpha_bar(t)) * eps;
  return {std::move(s), t, x0, eps, x_t};
}

// A linear map of x_t and out loses 16 roundings of its larger product, and passes on what `out`
// had lost.
bool recovers(const Linear& from, double x_t, double out, double out_error, double want) {
  const double scale = std::abs(from.x * x_t) + std::abs(from.out * out) + std::abs(want);
  const double tolerance = 16 * 0x1p-53 * scale + std::abs(from.out) * out_error;
  return std::abs(from.x * x_t + from.out * out - want) <= tolerance;
}

RC_GTEST_PROP(Prediction, X0AndEpsComeBackFromEveryTarget, ()) {
  const auto [s, t, x0, eps, x_t] = any_sample();
  for (const Prediction p : kAll) {
    const Target to = target_of(s, t, p);
    const double out = to.x0 * x0 + to.eps * eps;
    const double error = 8 * 0x1p-53 * (std::abs(to.x0 * x0) + std::abs(to.eps * eps));
    RC_ASSERT(recovers(x0_from(s, t, p), x_t, out, error, x0));
    RC_ASSERT(recovers(eps_from(s, t, p), x_t, out, error, eps));
  }
}

RC_GTEST_PROP(Prediction, MuIsThePosteriorMean, ()) {
  const Sample sample = any_sample();
  const Target to = target_of(sample.schedule, sample.t, Prediction::mu);
  const Posterior q = sample.schedule.posterior(sample.t);
  const double want = q.c_x0 * sample.x0 + q.c_xt * sample.x_t;
  RC_ASSERT(std::abs(to.x0 * sample.x0 + to.eps * sample.eps - want) <= 1e-14);  // terms below 4
}

// log q(x_t | x0) is quadratic, so its central difference is its derivative, up to rounding: the
// two logarithms are below L = (|eps| + h)^2 / 2 <= 8 for a step of h standard deviations, and
// 2^-53 * 8 / h is lost with h = 1/4, of 1 / sd each.
RC_GTEST_PROP(Prediction, ScoreIsTheGradientOfTheLogDensity, ()) {
  const Sample sample = any_sample();
  const double sd = std::sqrt(sample.schedule.one_minus_alpha_bar(sample.t));
  const double mean = sample.x_t - sd * sample.eps;
  const auto log_q = [&](double x) { return -(x - mean) * (x - mean) / (2 * sd * sd); };
  const double h = sd / 4;
  const double gradient = (log_q(sample.x_t + h) - log_q(sample.x_t - h)) / (2 * h);
  const double score = target_of(sample.schedule, sample.t, Prediction::score).eps * sample.eps;
  // x +- h are rounded relative to x_t <= 4, which is 4 / sd standard deviations.
  RC_ASSERT(std::abs(gradient - score) <= 100 * 0x1p-53 * (4 / sd + 1) / sd);
}

TEST(Prediction, VIsARotationOfX0AndEps) {
  const Schedule s = Schedule::linear();
  for (const int t : {1, 10, 500, 1000}) {
    const Target v = target_of(s, t, Prediction::v);
    EXPECT_NEAR(v.x0 * v.x0 + v.eps * v.eps, 1, 4e-16);
    EXPECT_LT(v.x0, 0);
    EXPECT_GT(v.eps, 0);
  }
}

TEST(Prediction, NamesReadBack) {
  for (const Prediction p : kAll) EXPECT_EQ(parse_prediction(to_string(p)), p);
  EXPECT_EQ(to_string(Prediction::score), "score");
  for (const Variance v : {Variance::fixed_small, Variance::fixed_large}) {
    EXPECT_EQ(parse_variance(to_string(v)), v);
  }
  EXPECT_EQ(to_string(Variance::fixed_large), "fixed_large");
}

TEST(Prediction, UnknownNamesAreRefusedWithTheNearest) {
  try {
    parse_variance("fixed_larg");
    FAIL();
  } catch (const Error& error) {
    EXPECT_STREQ(
        error.what(),
        "[diffusion] variance: got 'fixed_larg', expected fixed_small, fixed_large, learned, "
        "learned_range or optimal; try "
        "'fixed_large'");
  }
  try {
    parse_prediction("epsilon");
    FAIL();
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(),
                 "[diffusion] prediction: got 'epsilon', expected eps, x0, v, mu or score");
  }
}

TEST(Prediction, TimeZeroIsABug) {
  const Schedule s = Schedule::linear(10);
  EXPECT_THROW(x0_from(s, 0, Prediction::eps), BugError);
  EXPECT_THROW(eps_from(s, 11, Prediction::eps), BugError);
  EXPECT_THROW(target_of(s, 0, Prediction::x0), BugError);
}

// Where x_T is noise alone, an output that tells eps tells nothing of x0; the others still do, with
// finite numbers.
TEST(Prediction, AtZeroTerminalSnrOnlyEpsAndScoreAreRefused) {
  const Schedule s = Schedule::parse("linear:10,zero_snr=yes");
  for (const Prediction p : kAll) {
    EXPECT_TRUE(std::isfinite(target_of(s, 10, p).x0)) << to_string(p);
    EXPECT_TRUE(std::isfinite(eps_from(s, 10, p).out)) << to_string(p);
    if (p == Prediction::eps || p == Prediction::score) {
      EXPECT_THROW(x0_from(s, 10, p), Error) << to_string(p);
      EXPECT_NO_THROW(x0_from(s, 9, p)) << to_string(p);
    } else {
      EXPECT_TRUE(std::isfinite(x0_from(s, 10, p).out)) << to_string(p);
    }
  }
}

}  // namespace
}  // namespace ddpm
