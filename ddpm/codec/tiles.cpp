#include "ddpm/codec/tiles.h"

#include <algorithm>

#include "ddpm/base/error.h"

namespace ddpm {
namespace {

std::uint64_t tiles_along(std::uint64_t length, int tile) {
  return (length + static_cast<std::uint64_t>(tile) - 1) / static_cast<std::uint64_t>(tile);
}

Item cut(const Image& image, Shape tile, int left, int top) {
  Item item;
  item.reserve(tile.size());
  for (int c = 0; c < tile.c; ++c) {
    for (int y = 0; y < tile.h; ++y) {
      for (int x = 0; x < tile.w; ++x) {
        item.push_back(
            image.at(std::min(top + y, image.height - 1), std::min(left + x, image.width - 1), c));
      }
    }
  }
  return item;
}

}  // namespace

std::vector<float> floats_of(const Item& item) {
  std::vector<float> floats;
  floats.reserve(item.size());
  for (const std::uint8_t level : item) floats.push_back(byte_to_float(level));
  return floats;
}

Item levels_of(std::span<const float> x0) {
  Item item;
  item.reserve(x0.size());
  for (const float x : x0) item.push_back(float_to_byte(x));
  return item;
}

std::uint64_t tile_count(std::uint64_t width, std::uint64_t height, Shape tile) {
  return tiles_along(width, tile.w) * tiles_along(height, tile.h);
}

std::vector<Item> cut_tiles(const Image& image, Shape tile) {
  check_image(image);
  DDPM_CHECK(image.channels == tile.c, "{} channels, tiles have {}", image.channels, tile.c);
  std::vector<Item> items;
  for (int top = 0; top < image.height; top += tile.h) {
    for (int left = 0; left < image.width; left += tile.w) {
      items.push_back(cut(image, tile, left, top));
    }
  }
  return items;
}

Image join_tiles(const std::vector<Item>& items, std::size_t first, Shape tile, int width,
                 int height) {
  Image image = blank_image(width, height, tile.c);
  const std::size_t columns = tiles_along(static_cast<std::uint64_t>(width), tile.w);
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      const Item& item =
          items.at(first + static_cast<std::size_t>(y / tile.h) * columns + x / tile.w);
      for (int c = 0; c < tile.c; ++c) {
        image.at(y, x, c) =
            item[(static_cast<std::size_t>(c) * tile.h + y % tile.h) * tile.w + x % tile.w];
      }
    }
  }
  return image;
}

}  // namespace ddpm
