#include "ddpm/image/resize.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <map>

#include "ddpm/image/golden.h"

namespace ddpm {
namespace {

const std::map<std::string, Filter> kFilters = {{"box", Filter::box},
                                                {"bilinear", Filter::bilinear},
                                                {"bicubic", Filter::bicubic},
                                                {"lanczos", Filter::lanczos}};

Image golden_input(const std::vector<std::string>& line) {
  Image image = blank_image(std::stoi(line[1]), std::stoi(line[2]), std::stoi(line[3]));
  image.pixels = line[0] == "noise" ? noise_bytes(image.pixels.size(), 1) : from_hex(line[4]);
  return image;
}

// Gray, gray + alpha, RGB and RGBA; up, down, one axis, to one pixel and to the same size; noise,
// and hard edges at which the lobes of bicubic and Lanczos leave 0..255.
TEST(Resize, EqualsPillowByteForByte) {
  Image input;
  int cases = 0;
  for (const auto& line : golden_lines("resize.txt")) {
    if (line[0] == "input" || line[0] == "noise") {
      input = golden_input(line);
      continue;
    }
    const int width = std::stoi(line[1]), height = std::stoi(line[2]);
    const Image got = resize(input, width, height, kFilters.at(line[0]));
    EXPECT_EQ(got.pixels, from_hex(line[3]))
        << line[0] << ", " << input.channels << " channels, " << input.width << " x "
        << input.height << " to " << width << " x " << height;
    ++cases;
  }
  EXPECT_EQ(cases, 4 * 2 * 4 * 6 + 4 * 2);
}

// Weights sum to 1 up to the rounding of at most 2 * 3 * 64 + 1 of them to 2^-22, far below half a
// level.
RC_GTEST_PROP(Resize, KeepsAConstantImageConstant, (std::uint8_t value)) {
  const auto side = rc::gen::inRange(1, 64);
  const Image image = blank_image(*side, *side, *rc::gen::element(1, 3), value);
  const Image got =
      resize(image, *side, *side,
             *rc::gen::element(Filter::box, Filter::bilinear, Filter::bicubic, Filter::lanczos));
  for (const std::uint8_t byte : got.pixels) RC_ASSERT(byte == value);
}

TEST(Resize, HalvingWithABoxAveragesFourPixels) {
  const Image image{2, 2, 1, {10, 20, 30, 42}};
  EXPECT_EQ(resize(image, 1, 1, Filter::box).pixels, (std::vector<std::uint8_t>{26}));
}

TEST(Resize, TransparentColourDoesNotBleed) {
  const Image image{2, 1, 4, {255, 0, 0, 255, 0, 255, 0, 0}};
  EXPECT_EQ(resize(image, 1, 1, Filter::box).pixels, (std::vector<std::uint8_t>{255, 0, 0, 128}));
}

TEST(Resize, RefusesEmptySizes) {
  const Image image = blank_image(2, 2, 1);
  EXPECT_THROW(resize(image, 0, 2), Error);
  EXPECT_THROW(resize(image, 2, -1), Error);
}

}  // namespace
}  // namespace ddpm
