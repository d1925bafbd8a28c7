#include "ddpm/diffusion/variance.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cmath>

#include "ddpm/base/error.h"
#include "ddpm/diffusion/random_schedule_test.h"

namespace ddpm {
namespace {

// Nichol & Dhariwal 2021, Eq. (15): v = -1 and 1 are the two fixed variances, 0 their geometric
// mean.
RC_GTEST_PROP(Variance, LearnedRangeRunsFromTheSmallToTheLargeOne, ()) {
  const Schedule s = any_schedule();
  const int t = any_time(s);
  const LogVariance range = log_variance_of(s, t, Variance::learned_range);
  const double low = log_posterior_variance(s, t), high = std::log(s.beta(t));
  RC_ASSERT(std::abs(range.offset - range.slope - low) < 1e-13);  // logs below 50
  RC_ASSERT(std::abs(range.offset + range.slope - high) < 1e-13);
}

TEST(Variance, FixedOnesAreBetaAndItsPosterior) {
  const Schedule s = Schedule::linear();
  EXPECT_NEAR(log_variance_of(s, 500, Variance::fixed_large).offset, std::log(s.beta(500)), 1e-14);
  EXPECT_NEAR(log_variance_of(s, 500, Variance::fixed_small).offset,
              std::log(s.posterior(500).variance), 1e-14);
  EXPECT_EQ(log_posterior_variance(s, 1), log_posterior_variance(s, 2)) << "clipped";
  EXPECT_NEAR(log_posterior_variance(Schedule::linear(1), 1), std::log(1e-4), 1e-14);
  EXPECT_EQ(log_variance_of(s, 3, Variance::learned).slope, 1);
  EXPECT_EQ(log_variance_of(s, 3, Variance::learned).offset, 0);
}

TEST(Variance, IsFiniteAtZeroTerminalSnr) {
  const Schedule s = Schedule::jsd(7);
  for (int t = 1; t <= 7; ++t) {
    EXPECT_TRUE(std::isfinite(log_variance_of(s, t, Variance::fixed_small).offset)) << t;
    EXPECT_TRUE(std::isfinite(log_variance_of(s, t, Variance::learned_range).slope)) << t;
  }
}

// Gaussian data N(0, s^2): the best eps_hat is sqrt(1 - a) x_t / (a s^2 + 1 - a), E eps_hat^2 = (1
// - a) / (a s^2 + 1 - a), and the variance of x_{t-1} given x_t is V beta / (alpha V + beta) with V
// = a_{t-1} s^2 + 1 - a_{t-1}. 1 - E eps^2 cancels to a s^2 near t = T: 1e-16 / (4e-5 / 4).
TEST(Variance, OptimalOnGaussianDataIsTheTrueReverseVariance) {
  const Schedule s = Schedule::linear();
  const double s2 = 0.25;
  std::vector<double> measured;
  for (int t = 1; t <= s.T(); ++t) {
    const double noise = s.one_minus_alpha_bar(t);
    measured.push_back(noise / (s.alpha_bar(t) * s2 + noise));
  }
  const std::vector<double> variances = optimal_variances(s, measured);
  for (int t = 1; t <= s.T(); ++t) {
    const double V = s.alpha_bar(t - 1) * s2 + s.one_minus_alpha_bar(t - 1);
    const double want = V * s.beta(t) / (s.alpha(t) * V + s.beta(t));
    EXPECT_NEAR(variances[t - 1] / want, 1, 1e-10) << t;
    const LogVariance optimal = log_variance_of(s, t, Variance::optimal, variances);
    EXPECT_NEAR(optimal.offset, std::log(want), 1e-10);
    EXPECT_EQ(optimal.slope, 0);
  }
}

// Bao et al. 2022, Theorem 3: data in [-1, 1] vary by at most 1, and E eps^2 above 1 is noise of
// the measurement.
TEST(Variance, OptimalStaysBetweenItsBounds) {
  for (const char* spec : {"linear:1000", "jsd:20", "cosine:50,zero_snr=yes"}) {
    const Schedule s = Schedule::parse(spec);
    for (const double measured : {0.0, 0.7, 1.0, 1.5}) {
      const auto variances = optimal_variances(s, std::vector<double>(s.T(), measured));
      for (int t = 1; t <= s.T(); ++t) {
        const Posterior q = s.posterior(t);
        EXPECT_GE(variances[t - 1], q.variance);
        EXPECT_LE(variances[t - 1], q.variance + q.c_x0 * q.c_x0);
        if (measured >= 1 && s.alpha_bar(t) > 0) {
          EXPECT_EQ(variances[t - 1], q.variance);
        }
      }
    }
  }
}

// beta-tilde_1 is 0, and a measurement of 1 or more adds nothing: the decoder would have no width.
TEST(Variance, OptimalOfZeroIsThatOfFixedSmall) {
  const Schedule s = Schedule::linear(10);
  const auto variances = optimal_variances(s, std::vector<double>(10, 1.0));
  EXPECT_EQ(variances[0], 0);
  EXPECT_EQ(log_variance_of(s, 1, Variance::optimal, variances).offset,
            log_variance_of(s, 1, Variance::fixed_small).offset);
}

TEST(Variance, OptimalIsRefusedWithoutATableOfAllSteps) {
  const Schedule s = Schedule::linear(10);
  EXPECT_THROW(log_variance_of(s, 1, Variance::optimal), Error);
  EXPECT_THROW(log_variance_of(s, 1, Variance::optimal, std::vector<double>(9, 0.1)), Error);
  EXPECT_THROW(optimal_variances(s, std::vector<double>(9, 0.1)), Error);
  EXPECT_THROW(optimal_variances(s, std::vector<double>(10, std::nan(""))), Error);
  EXPECT_THROW(optimal_variances(s, std::vector<double>(10, -0.1)), Error);
}

}  // namespace
}  // namespace ddpm
