#include "ddpm/codec/tiles.h"

#include <gtest/gtest.h>

#include "ddpm/base/error.h"

namespace ddpm {
namespace {

Image numbered(int width, int height, int channels) {
  Image image = blank_image(width, height, channels);
  for (std::size_t i = 0; i < image.pixels.size(); ++i) {
    image.pixels[i] = static_cast<std::uint8_t>(7 * i + 1);
  }
  return image;
}

TEST(Tiles, OfAnyImageGoTogetherAgain) {
  for (const Shape tile : {Shape{3, 4, 5}, Shape{3, 1, 1}, Shape{3, 16, 2}}) {
    for (const auto& [width, height] : {std::pair{11, 9}, {5, 4}, {1, 1}, {16, 3}}) {
      const Image image = numbered(width, height, 3);
      std::vector<Item> items = cut_tiles(image, tile);
      EXPECT_EQ(items.size(), tile_count(width, height, tile));
      items.insert(items.begin(), 2, Item(tile.size()));  // others before them
      EXPECT_EQ(join_tiles(items, 2, tile, width, height).pixels, image.pixels);
    }
  }
}

TEST(Tiles, GoByRowsAndAreFilledUpWithCopiesOfTheEdge) {
  const Image image = numbered(3, 2, 1);  // 1 8 15 / 22 29 36
  const std::vector<Item> items = cut_tiles(image, {1, 2, 2});
  ASSERT_EQ(items.size(), 2U);
  EXPECT_EQ(items[0], (Item{1, 8, 22, 29}));
  EXPECT_EQ(items[1], (Item{15, 15, 36, 36}));
  EXPECT_EQ(cut_tiles(numbered(2, 3, 1), {1, 2, 2})[1], (Item{29, 36, 29, 36}));
  EXPECT_THROW(cut_tiles(image, {3, 2, 2}), BugError);
}

TEST(Tiles, HaveTheirChannelsInPlanes) {
  const Image image = numbered(2, 1, 3);  // 1 8 15, 22 29 36
  EXPECT_EQ(cut_tiles(image, {3, 1, 2})[0], (Item{1, 22, 8, 29, 15, 36}));
}

TEST(Tiles, AreCountedBeyond32Bits) {
  EXPECT_EQ(tile_count(1U << 20, 1U << 20, {1, 1, 1}), std::uint64_t{1} << 40);
  EXPECT_EQ(tile_count(9, 8, {1, 4, 8}), 4U);
}

TEST(Levels, AreNumbersAndBack) {
  Item all;
  for (int level = 0; level < 256; ++level) all.push_back(static_cast<std::uint8_t>(level));
  const std::vector<float> floats = floats_of(all);
  EXPECT_EQ(floats.front(), -1);
  EXPECT_EQ(floats.back(), 1);
  EXPECT_EQ(levels_of(floats), all);
}

}  // namespace
}  // namespace ddpm
