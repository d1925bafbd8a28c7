#include "ddpm/codec/hardness.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace ddpm {
namespace {

// Stages of `bits` that come before each hint.
std::vector<int> waits(int format, double bits, int hints) {
  Hardness hardness(format);
  std::vector<int> stages;
  for (int stage = 1; std::ssize(stages) < hints; ++stage) {
    if (!hardness.due(bits)) continue;
    hardness.take(0);
    stages.push_back(stage);
    stage = 0;
  }
  return stages;
}

TEST(Hardness, HintsComeEverLater) {
  EXPECT_EQ(waits(1, 13, 4), (std::vector{1, 1, 1, 1}));
  EXPECT_EQ(waits(2, 10, 6), (std::vector{1, 2, 2, 2, 3, 3}));
  EXPECT_EQ(waits(2, 10, 20).back(), 6);
  EXPECT_EQ(waits(3, 10, 10), (std::vector{1, 1, 1, 1, 1, 1, 2, 2, 3, 3}));
  EXPECT_EQ(waits(3, 10, 20).back(), 6);
  Hardness first(1);
  for (int stage = 0; stage < 9; ++stage) EXPECT_FALSE(first.due(12.9));  // no sum over stages
}

TEST(Hardness, OfTheFirstFormatsGoesByTheseFactors) {
  for (const int format : {1, 2}) {
    Hardness hardness(format);
    EXPECT_EQ(hardness.bits(), 1);
    EXPECT_EQ(hardness.choose(std::sqrt(1.5 * 0.85) + 1e-9), 1U);
    EXPECT_EQ(hardness.choose(std::sqrt(1.5 * 0.85) - 1e-9), 0U);
    hardness.take(1);
    EXPECT_EQ(hardness.scale(), 1.5);
    hardness.take(0);
    EXPECT_EQ(hardness.scale(), 1.5 * 0.85);
    for (int i = 0; i < 20; ++i) hardness.take(1);
    EXPECT_EQ(hardness.scale(), 8);
    for (int i = 0; i < 40; ++i) hardness.take(0);
    EXPECT_EQ(hardness.scale(), 0.25);
  }
}

// Two bits tell a factor apart within exp(+-0.2) out to exp(0.8); the steps shrink to exp(+-0.1).
TEST(Hardness, FindsWhatAnItemIsAndFollowsIt) {
  for (const double truth : {0.4, 0.8, 1.0, 1.7, 3.0}) {
    Hardness hardness(3);
    int bits = 0;
    for (int i = 0; i < 8; ++i) {
      bits += hardness.bits();
      hardness.take(hardness.choose(truth / hardness.scale()));
    }
    EXPECT_EQ(bits, 12);
    EXPECT_NEAR(std::log(hardness.scale() / truth), 0, 0.21) << truth;
    for (int i = 0; i < 4; ++i) hardness.take(hardness.choose(1.3 * truth / hardness.scale()));
    EXPECT_NEAR(std::log(hardness.scale() / (1.3 * truth)), 0, 0.21) << truth;
  }
}

TEST(Hardness, TakesAnyRatio) {
  Hardness hardness(3);
  EXPECT_EQ(hardness.choose(0), 0U);
  EXPECT_EQ(hardness.choose(INFINITY), 3U);
}

}  // namespace
}  // namespace ddpm
