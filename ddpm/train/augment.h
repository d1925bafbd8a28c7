// What is done to an image of the data before a network sees it. Drawn by (seed, position).
#pragma once

#include <cstdint>
#include <span>

#include "ddpm/base/shape.h"
#include "ddpm/train/config.h"

namespace ddpm {

/// Mirrors half of the images and moves each, as [data] says.
void augment(const DataConfig& data, std::uint64_t seed, std::uint64_t position, Shape shape,
             std::span<std::uint8_t> chw);

/// Mirrors a planar image [C, H, W] left to right.
void mirror(std::span<std::uint8_t> chw, Shape shape);

/// Moves it right by dx and down by dy pixels; what comes in repeats the border.
void move_image(std::span<std::uint8_t> chw, Shape shape, int dx, int dy);

}  // namespace ddpm
