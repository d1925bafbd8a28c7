// 8-bit images and their float form. An image is rows of pixels, channels interleaved (HWC); a float image is planar
// [C, H, W] in [-1, 1].
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

  std::uint8_t& at(int y, int x, int c) { return pixels[(std::size_t{1} * y * width + x) * channels + c]; }
  std::uint8_t at(int y, int x, int c) const {
    return pixels[(std::size_t{1} * y * width + x) * channels + c];
  }
};

/// x / 127.5 - 1 of every byte, planar. chw: [C, H, W].
void image_to_floats(const Image& image, std::span<float> chw);

/// round((x / 2 + 0.5) * 255) clamped to 0..255, halves to even as diffusers does. chw: [C, H, W]; NaN becomes 0.
Image image_from_floats(std::span<const float> chw, Shape shape);

/// The largest centred square.
Image centre_crop(const Image& image);

/// 1 or 3 (or 4) channels: gray to RGB repeats; RGB to gray is ITU-R 601 luma as Pillow's convert("L") rounds it.
Image with_channels(const Image& image, int channels);

/// Images of one size in rows of `columns`, `gap` pixels of `background` between and around them.
Image image_grid(std::span<const Image> images, int columns, int gap = 2, std::uint8_t background = 255);

/// The picture in 24-bit colour half-blocks for a terminal, scaled down to at most `max_columns` characters.
std::string terminal_blocks(const Image& image, int max_columns);

}  // namespace ddpm
