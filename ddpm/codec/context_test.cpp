#include "ddpm/codec/context.h"

#include <gtest/gtest.h>

#include <vector>

namespace ddpm {
namespace {

std::vector<int> contexts(const std::vector<float>& x0, Shape shape) {
  std::vector<std::uint8_t> found(x0.size());
  contexts_of(x0, shape, found);
  return {found.begin(), found.end()};
}

float level(double n) { return static_cast<float>(n / 127.5); }

TEST(Contexts, OfAFlatPlaneAreTheFlattest) {
  EXPECT_EQ(contexts(std::vector<float>(12, 0.5F), {1, 3, 4}), std::vector<int>(12, 0));
}

TEST(Contexts, SayWhetherAnElementIsAlmostBlackOrWhite) {
  EXPECT_EQ(contexts({0.989F, 0.989F}, {1, 1, 2}), (std::vector<int>{0, 0}));
  EXPECT_EQ(contexts({0.991F, 0.991F}, {1, 1, 2}), (std::vector<int>{8, 8}));
  EXPECT_EQ(contexts({-0.991F, -0.989F}, {1, 1, 2}), (std::vector<int>{8, 0}));
}

// The classes end at differences of 1, 4, 12, 30, 60, 120 and 240 levels in all.
TEST(Contexts, CountTheDifferencesFromAllFourNeighbours) {
  const auto of_the_middle = [](double n) {
    std::vector<float> x0(9, 0.0F);
    x0[4] = level(n);
    return contexts(x0, {1, 3, 3});
  };
  const std::pair<double, int> cases[] = {{0.2, 0}, {0.5, 1}, {2, 2},  {5, 3},
                                          {12, 4},  {25, 5},  {50, 6}, {70, 7}};
  for (const auto& [difference, context] : cases) {
    EXPECT_EQ(of_the_middle(difference)[4], context) << difference;
  }
  // 25 levels: the middle differs by 100, its neighbours by 25, the corners not at all.
  EXPECT_EQ(of_the_middle(25), (std::vector<int>{0, 3, 0, 3, 5, 3, 0, 3, 0}));
}

TEST(Contexts, NeitherRowsNorPlanesRunIntoOneAnother) {
  // Two planes of one row each, then one plane of two rows: the same numbers.
  const std::vector<float> x0 = {0, level(100), 0, level(100)};
  EXPECT_EQ(contexts({0, 0, level(100), level(100)}, {2, 1, 2}), (std::vector<int>{0, 0, 0, 0}));
  EXPECT_EQ(contexts({0, 0, level(100), level(100)}, {1, 2, 2}), (std::vector<int>{5, 5, 5, 5}));
  EXPECT_EQ(contexts(x0, {2, 1, 2}), (std::vector<int>{5, 5, 5, 5}));
  EXPECT_EQ(contexts(x0, {1, 4, 1}), (std::vector<int>{5, 6, 6, 5}));
}

}  // namespace
}  // namespace ddpm
