#include "ddpm/image/image.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "ddpm/image/golden.h"

namespace ddpm {
namespace {

using Bytes = std::vector<std::uint8_t>;

TEST(Image, BytesMapLinearlyToMinusOneToOne) {
  EXPECT_EQ(byte_to_float(0), -1.0F);
  EXPECT_EQ(byte_to_float(255), 1.0F);
  for (int i = 0; i <= 255; ++i) {
    // The double rounds twice at 2^-53, the float once at 2^-25: half a unit in the last place
    // below 1.
    EXPECT_NEAR(byte_to_float(static_cast<std::uint8_t>(i)), i / 127.5 - 1, 0x1p-25 + 0x1p-51);
  }
}

TEST(Image, EveryByteSurvivesTheWayThroughFloats) {
  for (int i = 0; i <= 255; ++i) {
    const auto byte = static_cast<std::uint8_t>(i);
    EXPECT_EQ(float_to_byte(byte_to_float(byte)), byte);
  }
}

TEST(Image, FloatsAreClampedAndRoundHalvesToEven) {
  EXPECT_EQ(float_to_byte(-7), 0);
  EXPECT_EQ(float_to_byte(7), 255);
  EXPECT_EQ(float_to_byte(std::numeric_limits<float>::infinity()), 255);
  EXPECT_EQ(float_to_byte(-std::numeric_limits<float>::infinity()), 0);
  EXPECT_EQ(float_to_byte(std::numeric_limits<float>::quiet_NaN()), 0);
  EXPECT_EQ(float_to_byte(0), 128);  // 127.5, to even
  EXPECT_EQ(float_to_byte(0x1p-8F), 128);
  EXPECT_EQ(float_to_byte(-0x1p-8F), 127);
}

TEST(Image, AHalfAboveAnEvenLevelRoundsDown) {
  const float x = 2 * (126.5F / 255) - 1;
  ASSERT_EQ((x / 2 + 0.5F) * 255, 126.5F);  // exactly the half, in floats
  EXPECT_EQ(float_to_byte(x), 126);
}

TEST(Image, FloatsArePlanarAndPixelsInterleaved) {
  const Image image{2, 1, 3, {0, 51, 102, 153, 204, 255}};
  std::vector<float> chw(6);
  image_to_floats(image, chw);
  const Bytes planar = {0, 153, 51, 204, 102, 255};
  for (int i = 0; i < 6; ++i) EXPECT_EQ(chw[i], byte_to_float(planar[i])) << i;
  EXPECT_EQ(image_from_floats(chw, {3, 1, 2}).pixels, image.pixels);
}

TEST(Image, CentreCropTakesTheMiddleSquare) {
  const Image wide{5, 2, 1, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9}};
  const Image got = centre_crop(wide);
  EXPECT_EQ(got.width, 2);
  EXPECT_EQ(got.pixels, (Bytes{1, 2, 6, 7}));
  const Image high{1, 4, 2, {0, 1, 2, 3, 4, 5, 6, 7}};
  EXPECT_EQ(centre_crop(high).pixels, (Bytes{2, 3}));
}

TEST(Image, CentreCropKeepsTheWantedAspect) {
  const Image image = blank_image(100, 60, 1);
  const Image tall = centre_crop(image, 2, 3);
  EXPECT_EQ(tall.width, 40);
  EXPECT_EQ(tall.height, 60);
  const Image flat = centre_crop(image, 4, 1);
  EXPECT_EQ(flat.width, 100);
  EXPECT_EQ(flat.height, 25);
  const Image extreme = centre_crop(image, 1, 1000);
  EXPECT_EQ(extreme.width, 1);
}

TEST(Image, LumaIsPillows) {
  const auto lines = golden_lines("luma.txt");
  Image image{1, 1, 3, from_hex(lines[0][0])};
  image.width = static_cast<int>(image.pixels.size() / 3);
  EXPECT_EQ(with_channels(image, 1).pixels, from_hex(lines[1][0]));
}

TEST(Image, ChannelsAreAddedAndTaken) {
  const Image gray{2, 1, 1, {7, 200}};
  EXPECT_EQ(with_channels(gray, 3).pixels, (Bytes{7, 7, 7, 200, 200, 200}));
  EXPECT_EQ(with_channels(gray, 4).pixels, (Bytes{7, 7, 7, 255, 200, 200, 200, 255}));
  EXPECT_EQ(with_channels(with_channels(gray, 3), 1).pixels, gray.pixels);
}

TEST(Image, LostAlphaIsLaidOverWhite) {
  const Image rgba{3, 1, 4, {10, 20, 30, 0, 10, 20, 30, 255, 0, 100, 255, 51}};
  EXPECT_EQ(with_channels(rgba, 3).pixels, (Bytes{255, 255, 255, 10, 20, 30, 204, 224, 255}));
  EXPECT_EQ(with_channels(Image{1, 1, 2, {0, 51}}, 1).pixels, (Bytes{204}));
  EXPECT_EQ(with_channels(rgba, 2).pixels[5], 51);  // there is room for it
}

TEST(ImageGrid, PutsImagesInRowsWithGaps) {
  const std::vector<Image> images = {{1, 1, 1, {1}}, {1, 1, 1, {2}}, {1, 1, 1, {3}}};
  const Image grid = image_grid(images, 2, 1, 9);
  EXPECT_EQ(grid.width, 5);
  EXPECT_EQ(grid.height, 5);
  EXPECT_EQ(grid.pixels, (Bytes{9, 9, 9, 9, 9,  //
                                9, 1, 9, 2, 9,  //
                                9, 9, 9, 9, 9,  //
                                9, 3, 9, 9, 9,  //
                                9, 9, 9, 9, 9}));
}

TEST(ImageGrid, HasNoEmptyColumnsAndNoGapWhenToldSo) {
  const Image pair{2, 1, 3, {1, 2, 3, 4, 5, 6}};
  const std::vector<Image> images = {pair, pair};
  const Image grid = image_grid(images, 8, 0);
  EXPECT_EQ(grid.width, 4);
  EXPECT_EQ(grid.pixels, (Bytes{1, 2, 3, 4, 5, 6, 1, 2, 3, 4, 5, 6}));
}

TEST(Image, BrokenImagesAreBugs) {
  EXPECT_THROW(check_image({2, 2, 1, {1, 2, 3}}), BugError);
  EXPECT_THROW(check_image({}), BugError);
  EXPECT_THROW(blank_image(1, 1, 5), BugError);
  const std::vector<Image> mixed = {blank_image(1, 1, 1), blank_image(2, 1, 1)};
  EXPECT_THROW(image_grid(mixed, 2), BugError);
  EXPECT_THROW(image_grid({}, 2), BugError);
  std::vector<float> few(3);
  EXPECT_THROW(image_to_floats(blank_image(2, 2, 1), few), BugError);
  EXPECT_THROW(image_from_floats(few, {1, 2, 2}), BugError);
}

}  // namespace
}  // namespace ddpm
