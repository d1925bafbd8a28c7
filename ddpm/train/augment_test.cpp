#include "ddpm/train/augment.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <vector>

namespace ddpm {
namespace {

using Bytes = std::vector<std::uint8_t>;

TEST(Mirror, ReversesRowsWithinTheirPlane) {
  Bytes chw = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
  mirror(chw, {2, 2, 3});
  EXPECT_EQ(chw, (Bytes{3, 2, 1, 6, 5, 4, 9, 8, 7, 12, 11, 10}));
}

TEST(MoveImage, MovesWithinThePlanesAndRepeatsTheBorder) {
  const Bytes before = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
  const auto moved = [&](int dx, int dy) {
    Bytes chw = before;
    move_image(chw, {2, 2, 3}, dx, dy);
    return chw;
  };
  EXPECT_EQ(moved(0, 0), before);
  EXPECT_EQ(moved(1, 0), (Bytes{1, 1, 2, 4, 4, 5, 7, 7, 8, 10, 10, 11}));
  EXPECT_EQ(moved(-2, 0), (Bytes{3, 3, 3, 6, 6, 6, 9, 9, 9, 12, 12, 12}));
  EXPECT_EQ(moved(0, 1), (Bytes{1, 2, 3, 1, 2, 3, 7, 8, 9, 7, 8, 9}));
  EXPECT_EQ(moved(0, -5), (Bytes{4, 5, 6, 4, 5, 6, 10, 11, 12, 10, 11, 12}));
}

// A marked pixel says what was done to its image.
TEST(Augment, FlipsHalfAndMovesEverywhereAsOften) {
  const DataConfig data{.path = "", .eval = "", .flip = true, .shift = 1};
  const Shape shape{1, 7, 7};
  constexpr int kDraws = 18'000;
  std::map<int, int> seen;
  for (std::uint64_t position = 0; position < kDraws; ++position) {
    Bytes chw(49);
    chw[7 * 3 + 1] = 1;
    augment(data, 5, position, shape, chw);
    ++seen[static_cast<int>(std::ranges::find(chw, 1) - chw.begin())];
  }
  EXPECT_EQ(seen.size(), 18U);  // mirrored or not, nine places each
  // 1000 each, binomial: five times sqrt(18000 / 18 * 17 / 18) = 154.
  for (const auto& [place, count] : seen) EXPECT_NEAR(count, 1000, 154) << place;
}

TEST(Augment, DoesNothingUnlessAsked) {
  Bytes chw = {1, 2, 3, 4};
  augment({}, 5, 1, {1, 2, 2}, chw);
  EXPECT_EQ(chw, (Bytes{1, 2, 3, 4}));
}

}  // namespace
}  // namespace ddpm
