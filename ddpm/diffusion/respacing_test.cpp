#include "ddpm/diffusion/respacing.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cmath>
#include <numeric>

#include "ddpm/base/error.h"
#include "ddpm/diffusion/random_schedule_test.h"
#include "ddpm/diffusion/spacing.h"

namespace ddpm {
namespace {

// alpha_bar of the new process is a product of rounded factors: each beta is off by a rounding or
// two, 5e-16 relative to itself, and sums of betas stay below 200.
RC_GTEST_PROP(Respacing, KeepsAlphaBarAtTheTimesItKeeps, ()) {
  const Schedule s = any_schedule();
  std::vector<int> times;
  for (int t = 1; t <= s.T(); ++t) {
    if (*rc::gen::inRange(0, 3) == 0) times.push_back(t);
  }
  RC_PRE(!times.empty());
  const Respaced r = respace(s, times);
  RC_ASSERT(r.times == times);
  for (std::size_t i = 0; i < times.size(); ++i) {
    const double want = s.alpha_bar(times[i]);
    RC_ASSERT(std::abs(r.schedule.alpha_bar(static_cast<int>(i) + 1) - want) <= 1e-12 * want);
  }
}

RC_GTEST_PROP(Respacing, OfAllTimesIsTheScheduleItself, ()) {
  const Schedule s = any_schedule();
  std::vector<int> all(s.T());
  std::iota(all.begin(), all.end(), 1);
  const Respaced r = respace(s, all);
  for (int t = 1; t <= s.T(); ++t) {
    RC_ASSERT(std::abs(r.schedule.beta(t) - s.beta(t)) <= 4e-16 * s.beta(t) + 1e-300);
  }
}

TEST(Respacing, KeepsZeroTerminalSnr) {
  const Schedule s = Schedule::parse("linear:100,zero_snr=yes");
  EXPECT_EQ(respace(s, {10, 60, 100}).schedule.alpha_bar(3), 0);
  EXPECT_GT(respace(s, {10, 60, 99}).schedule.alpha_bar(3), 0);
}

TEST(Respacing, NamedFormsAreThoseOfSampling) {
  std::vector<int> uniform = spaced_times(1000, 50, Spacing::uniform);
  std::reverse(uniform.begin(), uniform.end());
  EXPECT_EQ(parse_respacing(1000, "uniform:50"), uniform);
  EXPECT_EQ(parse_respacing(1000, "ddim50"), uniform);
  std::vector<int> quadratic = spaced_times(1000, 20, Spacing::quadratic);
  std::reverse(quadratic.begin(), quadratic.end());
  EXPECT_EQ(parse_respacing(1000, "quadratic:20"), quadratic);
}

TEST(Respacing, SectionsMayBeEmptyOrSingle) {
  EXPECT_EQ(parse_respacing(10, "0,2"), (std::vector<int>{6, 10}));
  EXPECT_EQ(parse_respacing(10, "1"), (std::vector<int>{1}));
  EXPECT_EQ(parse_respacing(1, "1"), (std::vector<int>{1}));
  EXPECT_EQ(parse_respacing(3, "1,1,1"), (std::vector<int>{1, 2, 3}));
}

TEST(Respacing, WhatKeepsNoTimesIsRefused) {
  for (const char* text : {"",
                           "0",
                           "0,0",
                           "11",
                           "6,5",
                           "-1",
                           "5,",
                           ",5",
                           "5;5",
                           "ddim",
                           "ddim7x",
                           "ddim0",
                           "ddim1",
                           "ddim11",
                           "ddim6",
                           "uniform",
                           "uniform:11",
                           "uniform:0",
                           "uniform:5,x=1",
                           "unifrom:5",
                           "1,1,1,1,1,1,1,1,1,1,1"}) {
    EXPECT_THROW(parse_respacing(10, text), Error) << text;
  }
  const Schedule s = Schedule::linear(10);
  EXPECT_THROW(respace(s, {}), Error);
  EXPECT_THROW(respace(s, {0, 3}), Error);
  EXPECT_THROW(respace(s, {3, 3}), Error);
  EXPECT_THROW(respace(s, {3, 11}), Error);
}

}  // namespace
}  // namespace ddpm
