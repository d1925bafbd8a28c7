// 8-bit images and their float form. An image is rows of pixels, channels interleaved (HWC); a
// float image is planar [C, H, W] in [-1, 1].
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "ddpm/base/shape.h"

namespace ddpm {

/// `pixels` has height * width * channels bytes, channels in 1..4 (gray, gray + alpha, RGB, RGBA).
struct Image {
  int width = 0, height = 0, channels = 0;
  std::vector<std::uint8_t> pixels;

  std::uint8_t& at(int y, int x, int c) {
    return pixels[(std::size_t{1} * y * width + x) * channels + c];
  }
  std::uint8_t at(int y, int x, int c) const {
    return pixels[(std::size_t{1} * y * width + x) * channels + c];
  }
};

/// Throws BugError unless sides and channels are as above and `pixels` has their size.
void check_image(const Image& image);

/// An image with `value` in every byte.
Image blank_image(int width, int height, int channels, std::uint8_t value = 0);

/// x / 127.5 - 1, rounded once.
inline float byte_to_float(std::uint8_t x) { return static_cast<float>(x / 127.5 - 1); }

/// round((x / 2 + 0.5) * 255) clamped to 0..255, halves to even as diffusers does; NaN becomes 0.
std::uint8_t float_to_byte(float x);

/// byte_to_float of every byte, planar. chw: [C, H, W].
void image_to_floats(const Image& image, std::span<float> chw);

/// float_to_byte of every value. chw: [C, H, W].
Image image_from_floats(std::span<const float> chw, Shape shape);

/// The n images of x, [n, C, H, W].
std::vector<Image> images_from_floats(std::span<const float> x, Shape shape);

/// The largest centred square.
Image centre_crop(const Image& image);

/// The largest centred rectangle of this aspect ratio, rounded down to whole pixels.
Image centre_crop(const Image& image, int aspect_width, int aspect_height);

/// 1..4 channels: gray to RGB repeats; RGB to gray is ITU-R 601 luma as Pillow's convert("L")
/// rounds it. Alpha that the result has no room for is laid over white; alpha that the image lacks
/// is opaque.
Image with_channels(const Image& image, int channels);

/// The smallest number of columns that makes a grid no taller than wide: ceil(sqrt(n)).
int grid_columns(std::size_t n);

/// Images of one shape in rows of `columns` (fewer when there are fewer images), `gap` pixels of
/// `background` between and around them. At least one image.
Image image_grid(std::span<const Image> images, int columns, int gap = 2,
                 std::uint8_t background = 255);

/// The picture in 24-bit colour half-blocks for a terminal, a pixel a column and two a line, scaled
/// down to at most `max_columns` columns. Ends with a reset and a newline.
std::string terminal_blocks(const Image& image, int max_columns);

}  // namespace ddpm
