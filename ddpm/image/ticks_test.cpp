#include "ddpm/image/ticks.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cmath>

namespace ddpm {
namespace {

std::string labels(const Range& range, int count) {
  std::string text;
  for (const Tick& tick : make_ticks(range, count)) text += tick.label + " ";
  return text;
}

TEST(Ticks, AreRoundNumbers) {
  EXPECT_EQ(labels({0, 1000}, 6), "0 200 400 600 800 1000 ");
  EXPECT_EQ(labels({-0.04, 1.02}, 6), "0.0 0.2 0.4 0.6 0.8 1.0 ");
  EXPECT_EQ(labels({3.41, 3.77}, 5), "3.5 3.6 3.7 ");
  EXPECT_EQ(labels({3.41, 3.77}, 9), "3.45 3.50 3.55 3.60 3.65 3.70 3.75 ");
  EXPECT_EQ(labels({-3, 2}, 5), "-3 -2 -1 0 1 2 ");
  EXPECT_EQ(labels({1, 1000, true}, 6), "1         10         100         1000 ");
  EXPECT_EQ(labels({1e-5, 1, true}, 6).substr(0, 20), "10^{-5}         10^{");
  EXPECT_EQ(labels({1, 20, true}, 6), "1 2   5     10 20 ");
}

RC_GTEST_PROP(Ticks, LieInTheRangeAndAreNeitherFewNorMany, ()) {
  const auto low = *rc::gen::inRange(-100000, 100000) * 1e-3;
  const auto width = *rc::gen::inRange(1, 1000000) * 1e-4;
  const auto ticks = make_ticks({low, low + width}, 6);
  RC_ASSERT(ticks.size() >= 2U && ticks.size() <= 9U);
  for (const Tick& tick : ticks) {
    RC_ASSERT(tick.value >= low - 1e-6 * width && tick.value <= low + width * (1 + 1e-6));
    RC_ASSERT(!tick.label.empty());
    // A label tells its value to a tenth of the step between two.
    RC_ASSERT(std::abs(std::stod(tick.label) - tick.value) <= 0.1 * width);
  }
}

TEST(Range, PlacesByDifferencesOrRatios) {
  EXPECT_DOUBLE_EQ((Range{2, 4}).place(3), 0.5);
  EXPECT_NEAR((Range{1, 100, true}).place(10), 0.5, 1e-15);
  EXPECT_LT((Range{1, 100, true}).place(0), -1e6);
}

}  // namespace
}  // namespace ddpm
