#include "ddpm/diffusion/rk45.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "ddpm/base/error.h"

namespace ddpm {
namespace {

const Drift kTurn = [](double, std::span<const double> y, std::span<double> dy) {
  dy[0] = -y[1];
  dy[1] = y[0];
};

double turn_error(double tolerance, Rk45Stats* stats = nullptr) {
  std::vector<double> y = {1, 0};
  const Rk45Stats s = rk45(kTurn, 0, 10, y, {.rtol = tolerance, .atol = tolerance});
  if (stats != nullptr) *stats = s;
  return std::hypot(y[0] - std::cos(10.0), y[1] - std::sin(10.0));
}

// Errors of the steps add up over 10 units of time, in a system that neither grows nor shrinks
// them.
TEST(Rk45, MeetsItsTolerance) {
  for (const double tolerance : {1e-4, 1e-6, 1e-8, 1e-10}) {
    Rk45Stats stats;
    EXPECT_LT(turn_error(tolerance, &stats), 30 * tolerance) << tolerance;
    EXPECT_EQ(stats.evaluations, 2 + 6 * (stats.accepted + stats.rejected));
  }
}

// Of order 5: a step's error is h^5, so that ten times as many digits cost 10^(1/5) as many steps.
TEST(Rk45, IsOfOrderFive) {
  Rk45Stats coarse, fine;
  turn_error(1e-5, &coarse);
  turn_error(1e-10, &fine);
  EXPECT_NEAR(std::log10(double(fine.accepted) / coarse.accepted), 1, 0.12);
}

// scipy 1.17.1: solve_ivp(RK45, rtol = 1e-5, atol = 1e-7) of a stiff van der Pol oscillator, which
// rejects steps. Its sums may round otherwise; a relaxation oscillator shrinks such differences.
TEST(Rk45, TakesTheStepsOfScipy) {
  const Drift van_der_pol = [](double, std::span<const double> y, std::span<double> dy) {
    dy[0] = y[1];
    dy[1] = 8 * (1 - y[0] * y[0]) * y[1] - y[0];
  };
  std::vector<double> y = {2, 0.3};
  const Rk45Stats stats = rk45(van_der_pol, 0, 7, y, {.rtol = 1e-5, .atol = 1e-7});
  EXPECT_EQ(stats.evaluations, 416);
  EXPECT_EQ(stats.accepted, 67);
  EXPECT_EQ(stats.rejected, 2);
  EXPECT_NEAR(y[0], 1.0093078127977044, 1e-10);
  EXPECT_NEAR(y[1], -0.5146366500436262, 1e-10);
}

TEST(Rk45, RunsBothWays) {
  const Drift decay = [](double t, std::span<const double> y, std::span<double> dy) {
    dy[0] = -y[0] * t;
  };
  std::vector<double> y = {1};
  rk45(decay, 0, 3, y, {.rtol = 1e-10, .atol = 1e-12});
  EXPECT_NEAR(y[0], std::exp(-4.5), 1e-10);
  rk45(decay, 3, 0, y, {.rtol = 1e-10, .atol = 1e-12});
  EXPECT_NEAR(y[0], 1, 1e-7);  // the way back grows errors by e^4.5
}

TEST(Rk45, GoesNowhereInNoTime) {
  std::vector<double> y = {2};
  EXPECT_EQ(rk45(kTurn, 1, 1, y).evaluations, 0);
  EXPECT_EQ(y[0], 2);
}

TEST(Rk45, ArrivesAtTheEndExactly) {
  double last = 0;
  const Drift clock = [&](double t, std::span<const double>, std::span<double> dy) {
    last = std::max(last, t);
    dy[0] = 1;
  };
  std::vector<double> y = {0};
  rk45(clock, 0, 0.7, y);
  EXPECT_EQ(last, 0.7);
  EXPECT_NEAR(y[0], 0.7, 1e-15);
}

TEST(Rk45, WhatCannotBeIntegratedIsANumericError) {
  const Drift blows_up = [](double, std::span<const double> y, std::span<double> dy) {
    dy[0] = y[0] * y[0];  // infinite at t = 1
  };
  std::vector<double> y = {1};
  try {
    rk45(blows_up, 0, 2, y);
    ADD_FAILURE() << "integrated over a pole";
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ExitCode::numeric);
  }
  const Drift not_a_number = [](double, std::span<const double>, std::span<double> dy) {
    dy[0] = std::nan("");
  };
  EXPECT_THROW(rk45(not_a_number, 0, 1, y), Error);
  std::vector<double> z = {1, 0};
  EXPECT_THROW(rk45(kTurn, 0, 100, z, {.max_evaluations = 50}), Error);
  EXPECT_THROW(rk45(kTurn, 0, 1, z, {.rtol = 0}), Error);
}

}  // namespace
}  // namespace ddpm
