// The schedules beyond linear and cosine, each against its formula in long double.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cmath>
#include <vector>

#include "ddpm/base/error.h"
#include "ddpm/diffusion/random_schedule_test.h"
#include "ddpm/diffusion/schedule.h"

namespace ddpm {
namespace {

// A handful of roundings of 1.1e-16.
constexpr double kTol = 2e-15;

void expect_betas(const std::string& spec, const std::vector<long double>& want,
                  double tolerance = kTol) {
  const Schedule s = Schedule::parse(spec);
  ASSERT_EQ(s.T(), static_cast<int>(want.size())) << spec;
  for (int t = 1; t <= s.T(); ++t) {
    EXPECT_NEAR(static_cast<double>(s.beta(t) / want[t - 1]), 1, tolerance) << spec << " " << t;
  }
}

std::vector<long double> line(int count, long double first, long double last) {
  std::vector<long double> numbers;
  for (int i = 0; i < count; ++i) {
    numbers.push_back(count == 1 ? first : first + (last - first) * i / (count - 1));
  }
  return numbers;
}

TEST(ScheduleKinds, QuadraticIsLinearInTheRootOfBeta) {
  for (const char* name : {"quadratic", "scaled_linear"}) {
    auto betas = line(50, std::sqrt(0.00085L), std::sqrt(0.012L));
    for (auto& beta : betas) beta *= beta;
    expect_betas(std::string(name) + ":50,beta_1=0.00085,beta_T=0.012", betas);
  }
  EXPECT_EQ(Schedule::parse("quadratic:1000").beta(1000), Schedule::quadratic().beta(1000));
}

TEST(ScheduleKinds, SigmoidIsBetweenItsEndsAlongTheLogistic) {
  auto betas = line(40, -6, 6);
  for (auto& x : betas) x = 1 / (1 + std::exp(-x)) * (0.3L - 0.01L) + 0.01L;
  expect_betas("sigmoid:40,beta_1=0.01,beta_T=0.3", betas);
}

TEST(ScheduleKinds, WarmupRisesThenStays) {
  for (const auto& [name, steps] : {std::pair("warmup10", 2), std::pair("warmup50", 12)}) {
    auto betas = line(steps, 0.001L, 0.1L);
    betas.resize(25, 0.1L);
    expect_betas(std::string(name) + ":25,beta_1=0.001,beta_T=0.1", betas);
  }
  EXPECT_EQ(Schedule::warmup(5, 0.1, 0.01, 0.02).beta(1), 0.02) << "no step to warm up in";
  EXPECT_THROW(Schedule::warmup(5, 0.2), Error);
}

// alpha_bar_t = prod (T - k) / (T - k + 1) = 1 - t/T.
TEST(ScheduleKinds, JsdSpendsTheSignalEvenlyAndEndsInNoise) {
  const Schedule s = Schedule::parse("jsd:200");
  for (int t = 0; t <= 200; ++t) {
    EXPECT_NEAR(s.alpha_bar(t), 1 - t / 200.0, 2e-16 * 200) << t;  // each beta is rounded
  }
  EXPECT_EQ(s.alpha_bar(200), 0);
  EXPECT_EQ(s.snr(200), 0);
}

TEST(ScheduleKinds, TableIsItsBetasAndSaysThemInItsSpec) {
  const Schedule s = Schedule::parse("table,betas=0.1/0.25/1e-3");
  EXPECT_EQ(s.T(), 3);
  EXPECT_EQ(s.beta(3), 1e-3);
  EXPECT_EQ(Schedule::parse(s.spec()).beta(2), 0.25);
  EXPECT_EQ(Schedule::parse("table:1,betas=0.5").beta(1), 0.5);
}

// Lin et al. 2023, Algorithm 1, in long double: sqrt(alpha_bar) minus its last, scaled. 1 - alpha
// cancels to beta and the shift to the last gap, both >= 1e-5 of 5e-20.
TEST(ScheduleKinds, ZeroTerminalSnrIsTheShiftedAndScaledRoot) {
  for (const char* spec : {"linear:30,beta_1=0.001,beta_T=0.2", "cosine:50", "quadratic:1000"}) {
    const Schedule s = Schedule::parse(spec);
    std::vector<long double> root = {1};
    for (int t = 1; t <= s.T(); ++t) {
      root.push_back(root.back() * std::sqrt(1 - static_cast<long double>(s.beta(t))));
    }
    const long double last = root.back(), first = root[1];
    std::vector<long double> betas;
    for (int t = 1; t <= s.T(); ++t) {
      root[t] = (root[t] - last) * first / (first - last);
      const long double ratio = root[t] / root[t - 1];
      betas.push_back(1 - ratio * ratio);
    }
    expect_betas(std::string(spec) + ",zero_snr=yes", betas, 1e-13);
  }
}

RC_GTEST_PROP(ScheduleKinds, ZeroTerminalSnrLeavesNothingThatDividesByZero, ()) {
  const Schedule any = any_schedule();
  RC_PRE(any.T() > 1);
  const Schedule s = any.with_zero_terminal_snr();
  const int T = s.T();
  RC_ASSERT(s.alpha_bar(T) == 0 && s.one_minus_alpha_bar(T) == 1 && s.beta(T) == 1);
  RC_ASSERT(s.beta(1) == any.beta(1));
  RC_ASSERT(s.alpha_bar(T - 1) > 0);
  RC_ASSERT(s.jump_beta(0, T) == 1 && s.snr(T) == 0);
  const Posterior q = s.posterior(T);  // x_T says nothing: x_{T-1} is drawn from x0 alone
  RC_ASSERT(q.c_xt == 0 && q.c_x0 == std::sqrt(s.alpha_bar(T - 1)));
  RC_ASSERT(q.variance == s.one_minus_alpha_bar(T - 1));
  const Schedule again = Schedule::parse(s.spec());
  for (int t = 1; t <= T; ++t) RC_ASSERT(again.beta(t) == s.beta(t));
}

TEST(ScheduleKinds, ZeroTerminalSnrOfNoiseIsItself) {
  EXPECT_EQ(Schedule::parse("jsd:10,zero_snr=yes").beta(3), Schedule::jsd(10).beta(3));
}

}  // namespace
}  // namespace ddpm
