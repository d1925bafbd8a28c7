// Sampling where the best possible network is known: for data N(m, s^2) the optimal eps is E[eps |
// x_t] = sqrt(1 - ab) / (ab s^2 + 1 - ab) (x - sqrt(ab) m), ab = alpha_bar_t. Every row is then an
// affine map plus noise, so the sampler's mean and variance follow exactly, without drawing
// anything.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <array>
#include <cmath>

#include "ddpm/base/philox.h"
#include "ddpm/diffusion/plan.h"
#include "ddpm/diffusion/plan_interpreter_test.h"

namespace ddpm {
namespace {

struct Gaussian {
  double mean, variance;
};

struct OptimalEps {
  double slope, centre;  // eps = slope (x - centre)

  OptimalEps(const Schedule& s, int t, Gaussian data)
      : slope(std::sqrt(s.one_minus_alpha_bar(t)) /
              (s.alpha_bar(t) * data.variance + s.one_minus_alpha_bar(t))),
        centre(std::sqrt(s.alpha_bar(t)) * data.mean) {}
};

ModelView view_of(Variance variance) { return {Prediction::eps, variance, Limit::no_limit()}; }

std::vector<int> countdown(int T) { return spaced_times(T, T, Spacing::uniform); }

// The state's distribution after each row, from x_T ~ N(0, 1).
std::vector<Gaussian> propagate(const Plan& plan, const Schedule& s, Gaussian data) {
  Gaussian x{0, 1};
  std::vector<Gaussian> states;
  for (const Row& row : plan) {
    const OptimalEps eps(s, static_cast<int>(*row.time) + 1, data);
    const Step step = as_step(row);
    const double slope = step.x + step.out * eps.slope;
    x = {slope * x.mean - step.out * eps.slope * eps.centre,
         slope * slope * x.variance + step.z * step.z};
    states.push_back(x);
  }
  return states;
}

Gaussian sampled(const Plan& plan, const Schedule& s, Gaussian data) {
  return propagate(plan, s, data).back();
}

// fixed_large is the exact reverse variance of unit-variance data: the state keeps variance 1
// through every noisy row, and the last row, which has no noise, leaves alpha_bar_1 of it. The
// start ignores sqrt(alpha_bar_T) m, so the mean ends at m (1 - alpha_bar_T). Roundings: 1000 rows
// of a few 1.1e-16, in which sqrt(1 / alpha_bar) = 160 may cancel.
TEST(PlanGaussian, FixedLargeIsExactOnUnitVarianceData) {
  const Schedule s = Schedule::linear();
  const auto states =
      propagate(ddpm_plan(s, countdown(1000), view_of(Variance::fixed_large)), s, {0.7, 1});
  for (int i = 0; i < 999; ++i) EXPECT_NEAR(states[i].variance, 1, 1e-11) << i;
  EXPECT_NEAR(states.back().variance, s.alpha_bar(1), 1e-11);
  EXPECT_NEAR(states.back().mean, 0.7 * (1 - s.alpha_bar(1000)), 1e-11);
}

// fixed_small is the exact reverse variance of data that are one point: N(sqrt(ab) m, 1 - ab) after
// every row, up to the start, N(0, 1) in place of N(sqrt(ab_T) m, 1 - ab_T), whose error only
// shrinks.
TEST(PlanGaussian, FixedSmallIsExactOnOnePoint) {
  const Schedule s = Schedule::linear();
  const auto states =
      propagate(ddpm_plan(s, countdown(1000), view_of(Variance::fixed_small)), s, {0.7, 0});
  const double start = s.alpha_bar(1000);
  for (int i = 0; i < 1000; ++i) {
    const int t = 999 - i;
    EXPECT_NEAR(states[i].mean, std::sqrt(s.alpha_bar(t)) * 0.7, 0.7 * std::sqrt(start) + 1e-11)
        << t;
    EXPECT_NEAR(states[i].variance, s.one_minus_alpha_bar(t), start + 1e-11) << t;
  }
  EXPECT_NEAR(states.back().mean, 0.7, 1e-11);
  EXPECT_NEAR(states.back().variance, 0, 1e-11);
}

// In between, with V_t the variance of q(x_t) and K_t x_t the mean of the true reverse step, the
// true noise is V_{t-1} - K_t^2 V_t; the sampler's error is what its own noise differs by, carried
// through the later steps.
RC_GTEST_PROP(PlanGaussian, VarianceErrorIsTheNoisesDifference, ()) {
  const Schedule s = Schedule::linear(400, 2.5e-4, 0.05);
  const double s2 = *rc::gen::inRange(1, 300) / 100.0;
  const auto variance = *rc::gen::element(Variance::fixed_small, Variance::fixed_large);
  const auto V = [&](int t) { return s.alpha_bar(t) * s2 + s.one_minus_alpha_bar(t); };
  double error = 1 - V(400);
  for (int t = 400; t >= 1; --t) {
    const double K = std::sqrt(s.alpha(t)) * V(t - 1) / V(t);  // Cov(x_{t-1}, x_t) / V_t
    const double noise = t == 1                              ? 0
                         : variance == Variance::fixed_small ? s.posterior(t).variance
                                                             : s.beta(t);
    error = K * K * error + noise - (V(t - 1) - K * K * V(t));
  }
  const Gaussian got = sampled(ddpm_plan(s, countdown(400), view_of(variance)), s, {0.5, s2});
  RC_ASSERT(std::abs(got.variance - (s2 + error)) < 1e-10);
}

// Ancestral sampling (either variance) and DDIM reproduce mean and variance up to an error of first
// order in 1 / T: refining the same process fourfold divides it by 4, give or take the second
// order.
TEST(PlanGaussian, MeanAndVarianceAreReproducedToFirstOrder) {
  const Gaussian data{0.5, 0.3};
  const auto refined = [](int T) {
    return Schedule::linear(T, 0.1 / T, 20.0 / T);
  };  // the paper's at 1000
  const auto plans = [](const Schedule& s) {
    return std::array{ddpm_plan(s, countdown(s.T()), view_of(Variance::fixed_small)),
                      ddpm_plan(s, countdown(s.T()), view_of(Variance::fixed_large)),
                      ddim_plan(s, countdown(s.T()), 0, view_of(Variance::fixed_small))};
  };
  const Schedule coarse = refined(1000), fine = refined(4000);
  const auto a = plans(coarse), b = plans(fine);
  for (std::size_t i = 0; i < a.size(); ++i) {
    const Gaussian x = sampled(a[i], coarse, data), y = sampled(b[i], fine, data);
    const double error = std::abs(x.variance - data.variance);
    EXPECT_LT(error, 0.02 * data.variance) << i;
    EXPECT_LT(std::abs(y.variance - data.variance), 0.3 * error) << i;
    // The mean's error is the start's, m sqrt(alpha_bar_T) carried down by at most sqrt(s^2): no
    // more than 1 %.
    EXPECT_NEAR(x.mean, data.mean, 0.01 * data.mean) << i;
  }
}

// Two correlated coordinates: the covariance is Q diag(s2) Q^T with Q a rotation, and the optimal
// eps acts along its axes.
struct Correlated {
  static constexpr double kCos = 0.8, kSin = 0.6;
  std::array<Gaussian, 2> axes = {{{0.6, 0.9}, {-0.3, 0.1}}};

  static std::array<double, 2> to_axes(double x, double y) {
    return {kCos * x + kSin * y, kCos * y - kSin * x};
  }
  static std::array<double, 2> from_axes(double u, double v) {
    return {kCos * u - kSin * v, kSin * u + kCos * v};
  }
};

struct Covariance {
  double x, y, xy;
};

Covariance rotated(double u, double v) {
  const double c = Correlated::kCos, s = Correlated::kSin;
  return {c * c * u + s * s * v, s * s * u + c * c * v, c * s * (u - v)};
}

Network optimal_network(const Schedule& s, const Correlated& data) {
  return [&](const Vector& x, double time) {
    const int t = static_cast<int>(time) + 1;
    const OptimalEps u(s, t, data.axes[0]), v(s, t, data.axes[1]);
    Vector out(x.size());
    for (std::size_t i = 0; i < x.size(); i += 2) {
      const auto at = Correlated::to_axes(x[i], x[i + 1]);
      const auto eps =
          Correlated::from_axes(u.slope * (at[0] - u.centre), v.slope * (at[1] - v.centre));
      out[i] = eps[0];
      out[i + 1] = eps[1];
    }
    return out;
  };
}

Vector draw(const Schedule& s, const Plan& plan, const Correlated& data, int count) {
  std::vector<float> z(2 * count);
  int filled = -1;
  const auto fill = [&](Purpose purpose, int row) {
    fill_normal({.seed = 5, .purpose = purpose, .step = static_cast<std::uint32_t>(row)}, z);
    return row;
  };
  fill(Purpose::sample_start, 0);
  const Vector start(z.begin(), z.end());
  const Noise noise = [&](int row, int i) {
    if (row != filled) filled = fill(Purpose::sample_step, row);
    return z[i];
  };
  return run(plan, optimal_network(s, data), noise, start);
}

// 20,000 draws: a mean has standard error sqrt(C_ii / n), a covariance sqrt((C_ii C_jj + C_ij^2) /
// n); 5 of them allowed (fixed seed). The expectation is the exact one of the plan's own error.
TEST(PlanGaussian, DrawsHaveMeanAndCovarianceOfTheData) {
  const Correlated data;
  const Schedule s = Schedule::linear(200, 5e-4, 0.1);
  const Plan plan = ddpm_plan(s, countdown(200), view_of(Variance::fixed_small));
  const int n = 20'000;
  const Vector x = draw(s, plan, data, n);

  const Gaussian u = sampled(plan, s, data.axes[0]), v = sampled(plan, s, data.axes[1]);
  const auto mean = Correlated::from_axes(u.mean, v.mean);
  const Covariance want = rotated(u.variance, v.variance);
  const Covariance exact = rotated(data.axes[0].variance, data.axes[1].variance);
  EXPECT_NEAR(want.xy, exact.xy,
              0.05 * exact.xy);  // 200 steps: first-order error, five times that of 1000

  double sx = 0, sy = 0, xx = 0, yy = 0, xy = 0;
  for (int i = 0; i < 2 * n; i += 2) {
    const double dx = x[i] - mean[0], dy = x[i + 1] - mean[1];
    sx += dx, sy += dy, xx += dx * dx, yy += dy * dy, xy += dx * dy;
  }
  EXPECT_NEAR(sx / n, 0, 5 * std::sqrt(want.x / n));
  EXPECT_NEAR(sy / n, 0, 5 * std::sqrt(want.y / n));
  EXPECT_NEAR(xx / n, want.x, 5 * want.x * std::sqrt(2.0 / n));
  EXPECT_NEAR(yy / n, want.y, 5 * want.y * std::sqrt(2.0 / n));
  EXPECT_NEAR(xy / n, want.xy, 5 * std::sqrt((want.x * want.y + want.xy * want.xy) / n));
}

}  // namespace
}  // namespace ddpm
