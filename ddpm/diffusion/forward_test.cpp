#include "ddpm/diffusion/forward.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "ddpm/base/error.h"
#include "ddpm/base/philox.h"
#include "ddpm/diffusion/golden_test.h"

namespace ddpm {
namespace {

constexpr int kDraws = 16384;
constexpr double kSigmas = 5;  // of the estimate's standard error: one check in 1.7 million fails
                               // by chance; the seed is fixed

struct Moments {
  double mean, variance;
};

Moments moments(const std::vector<float>& x) {
  const double n = static_cast<double>(x.size());
  const double mean = std::accumulate(x.begin(), x.end(), 0.0) / n;
  double sum = 0;
  for (const float value : x) sum += (value - mean) * (value - mean);
  return {mean, sum / (n - 1)};
}

// Standard errors for n normal draws: sqrt(variance / n) of the mean, variance sqrt(2 / (n - 1)) of
// the variance.
void expect_moments(const std::vector<float>& x, double mean, double variance, int t) {
  const Moments got = moments(x);
  const double n = static_cast<double>(x.size());
  EXPECT_NEAR(got.mean, mean, kSigmas * std::sqrt(variance / n)) << "t = " << t;
  EXPECT_NEAR(got.variance, variance, kSigmas * variance * std::sqrt(2 / (n - 1))) << "t = " << t;
}

template <class Check>
void walk(const Schedule& s, std::vector<float> x, Check check) {
  std::vector<float> z(x.size());
  for (int t = 1; t <= s.T(); ++t) {
    fill_normal(
        {.seed = 7, .purpose = Purpose::forward_chain, .step = static_cast<std::uint32_t>(t)}, z);
    q_step(s, t, x, z, x);
    check(t, x);
  }
}

TEST(Forward, StepsOfTheChainMatchTheClosedForm) {
  const Schedule s = Schedule::linear();
  const float x0 = 0.8F;
  walk(s, std::vector<float>(kDraws, x0), [&](int t, const std::vector<float>& x) {
    if (t != 1 && t % 100 != 0) return;
    expect_moments(x, std::sqrt(s.alpha_bar(t)) * x0, s.one_minus_alpha_bar(t), t);
  });
}

TEST(Forward, UnitVarianceDataKeepUnitVariance) {
  const Schedule s = Schedule::linear(200);
  std::vector<float> x0(kDraws);
  fill_normal({.seed = 8, .purpose = Purpose::forward_chain}, x0);
  walk(s, x0, [&](int t, const std::vector<float>& x) {
    if (t % 20 == 0) expect_moments(x, 0, 1, t);
  });
}

// x0 and eps are rounded to float (2^-24 relative each), and so is x_t: for |x0| <= 1 and |eps|
// <= 1.4 the three add up to less than 2^-24 (1 + 1.4 + 2.4).
TEST(Forward, ClosedFormAgreesWithOpenAi) {
  const auto file = golden::load("openai_tables.json");
  for (const auto& golden_case : file.at("q_sample").as_array()) {
    const Schedule s = golden::schedule(golden_case);
    const auto times = golden::list<int>(golden_case.at("t"));
    const auto want = golden::list<double>(golden_case.at("x_t"));
    const auto want_mean = golden::list<double>(golden_case.at("posterior_mean"));
    const int n = static_cast<int>(want.size() / times.size());
    for (int k = 0; k < static_cast<int>(want.size()); ++k) {
      const int t = times[k / n];
      const float x0 = static_cast<float>(golden::x0(k)), eps = static_cast<float>(golden::eps(k));
      float x_t = 0;
      q_sample(s, t, {&x0, 1}, {&eps, 1}, {&x_t, 1});
      EXPECT_NEAR(x_t, want[k], 0x1p-24 * 4.8) << "t = " << t << ", k = " << k;
      const Posterior q = s.posterior(t);  // goldens advise 1e-9 in double
      golden::expect_close(q.c_x0 * golden::x0(k) + q.c_xt * want[k], want_mean[k], 1e-9,
                           "posterior mean, t = " + std::to_string(t));
    }
  }
}

TEST(Forward, TimeZeroIsCleanData) {
  const std::vector<float> x0 = {0.25F, -1, 1};
  const std::vector<float> eps = {3, 4, 5};
  std::vector<float> x(3);
  q_sample(Schedule::linear(), 0, x0, eps, x);
  EXPECT_EQ(x, x0);
}

TEST(Forward, ResultMayReplaceAnInput) {
  const Schedule s = Schedule::cosine(10);
  const std::vector<float> x0 = {0.25F, -1, 1}, eps = {3, 4, 5};
  std::vector<float> want(3), in_x0 = x0, in_eps = eps;
  q_sample(s, 4, x0, eps, want);
  q_sample(s, 4, in_x0, eps, in_x0);
  q_sample(s, 4, x0, in_eps, in_eps);
  EXPECT_EQ(in_x0, want);
  EXPECT_EQ(in_eps, want);
}

TEST(Forward, WrongLengthOrTimeIsABug) {
  const Schedule s = Schedule::linear(10);
  std::vector<float> two(2), three(3);
  EXPECT_THROW(q_sample(s, 1, two, three, three), BugError);
  EXPECT_THROW(q_sample(s, 1, three, two, three), BugError);
  EXPECT_THROW(q_step(s, 1, three, three, two), BugError);
  EXPECT_THROW(q_step(s, 0, two, two, two), BugError);
  EXPECT_THROW(q_sample(s, 11, two, two, two), BugError);
}

}  // namespace
}  // namespace ddpm
