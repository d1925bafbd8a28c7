#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cmath>

#include "ddpm/base/error.h"
#include "ddpm/diffusion/plan.h"

namespace ddpm {
namespace {

constexpr Spacing kWhole[] = {Spacing::uniform, Spacing::quadratic, Spacing::leading,
                              Spacing::linspace, Spacing::trailing};

RC_GTEST_PROP(Spacing, GivesThatManyDecreasingTimesDownToOne, ()) {
  const int T = *rc::gen::inRange(1, 3000);
  const int calls = *rc::gen::inRange(1, T + 1);
  const Spacing spacing = *rc::gen::elementOf(std::vector<Spacing>(kWhole, std::end(kWhole)));
  const std::vector<int> times = spaced_times(T, calls, spacing);
  RC_ASSERT(static_cast<int>(times.size()) == calls);
  RC_ASSERT(times.front() <= T && times.back() >= 1);
  const bool starts_at_T = spacing == Spacing::linspace || spacing == Spacing::trailing;
  RC_ASSERT(!starts_at_T || times.front() == T);
  const bool ends_at_1 =
      spacing != Spacing::trailing && (spacing != Spacing::linspace || calls > 1);
  RC_ASSERT(!ends_at_1 || times.back() == 1);
  RC_ASSERT(std::ranges::adjacent_find(times, std::less_equal<>()) == times.end());
}

RC_GTEST_PROP(Spacing, AsManyCallsAsStepsAreAllSteps, ()) {
  const int T = *rc::gen::inRange(1, 3000);
  const Spacing spacing = *rc::gen::elementOf(std::vector<Spacing>(kWhole, std::end(kWhole)));
  const std::vector<int> times = spaced_times(T, T, spacing);
  for (int i = 0; i < T; ++i) RC_ASSERT(times[i] == T - i);
}

TEST(Spacing, FiftyOfAThousandAreDiffusersLeadingTimes) {
  const std::vector<int> times = spaced_times(1000, 50, Spacing::uniform);
  for (int i = 0; i < 50; ++i) EXPECT_EQ(network_time(times[i]), 980 - 20 * i);
}

// Song et al. 2020, App. D.2: 1 + floor(c i^2) with c such that the last is 0.8 T; by hand for T =
// 1000, c = 800 / 81.
TEST(Spacing, QuadraticTimesAreSquares) {
  const std::vector<int> want = {801, 633, 484, 356, 247, 159, 89, 40, 10, 1};
  EXPECT_EQ(spaced_times(1000, 10, Spacing::quadratic), want);
}

// In the paper's own form, sqrt and all, wherever that is not within rounding of an integer.
TEST(Spacing, QuadraticTimesAreThePapersFormula) {
  for (const int calls : {2, 3, 7, 20, 33}) {
    const std::vector<int> times = spaced_times(4000, calls, Spacing::quadratic);
    for (int i = 0; i < calls; ++i) {
      const double root = i * std::sqrt(0.8 * 4000) / (calls - 1);
      const double square = root * root;
      if (std::abs(square - std::round(square)) < 1e-9) continue;
      EXPECT_EQ(times[calls - 1 - i], 1 + std::floor(square)) << calls << ' ' << i;
    }
  }
}

// c i^2 with c = 800 / 99^2 stays below 1 for i < 4: times that would repeat move up.
TEST(Spacing, QuadraticTimesNeverRepeat) {
  const std::vector<int> times = spaced_times(1000, 100, Spacing::quadratic);
  EXPECT_EQ(std::vector<int>(times.end() - 4, times.end()), (std::vector<int>{4, 3, 2, 1}));
  EXPECT_EQ(times.front(), 801);
}

// numpy's rounding, half to even: T = 12, 8 calls: T - i T / 8 = 12, 10.5, 9, 7.5, 6, 4.5, 3, 1.5;
// and linspace of the network's times 0..11 over 3 calls has 5.5.
TEST(Spacing, HalvesRoundToEven) {
  EXPECT_EQ(spaced_times(12, 8, Spacing::trailing), (std::vector<int>{12, 10, 9, 8, 6, 4, 3, 2}));
  EXPECT_EQ(spaced_times(12, 3, Spacing::linspace), (std::vector<int>{12, 7, 1}));
}

// For 62 counts below 1000 diffusers' trailing times end at -1; ours are as many as asked for.
TEST(Spacing, TrailingTimesOfSixtyOneCallsEndAboveZero) {
  const std::vector<int> times = spaced_times(1000, 61, Spacing::trailing);
  EXPECT_EQ(times.size(), 61U);
  EXPECT_EQ(times.back(), 16);  // 1000 / 61 = 16.4
}

TEST(Spacing, ImpossibleCountsAreRefused) {
  for (const int calls : {-1, 0, 11}) {
    for (const Spacing spacing : kWhole) {
      EXPECT_THROW(spaced_times(10, calls, spacing), Error) << calls;
    }
  }
  EXPECT_THROW(spaced_times(10, 5, Spacing::karras), BugError);
  EXPECT_EQ(spaced_times(10, 1, Spacing::quadratic), std::vector<int>{1});
}

}  // namespace
}  // namespace ddpm
