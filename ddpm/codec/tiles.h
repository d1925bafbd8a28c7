// Images of any size as items of the model's size: tiles by rows, the last of a row or column
// filled up with copies of the image's edge.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "ddpm/base/shape.h"
#include "ddpm/image/image.h"

namespace ddpm {

using Item = std::vector<std::uint8_t>;  // [C, H, W]

/// The levels in [-1, 1], and the nearest levels of such numbers.
std::vector<float> floats_of(const Item& item);
Item levels_of(std::span<const float> x0);

/// Tiles that cover an image.
std::uint64_t tile_count(std::uint64_t width, std::uint64_t height, Shape tile);

/// The tiles of an image, whose channels are tile.c (BugError otherwise).
std::vector<Item> cut_tiles(const Image& image, Shape tile);

/// The image of width x height that the tiles from items[first] on are of.
Image join_tiles(const std::vector<Item>& items, std::size_t first, Shape tile, int width,
                 int height);

}  // namespace ddpm
