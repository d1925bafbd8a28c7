#include "ddpm/codec/tiles.h"

#include <algorithm>

#include "ddpm/base/error.h"

namespace ddpm {
namespace {

int tiles_along(int length, int tile) { return (length + tile - 1) / tile; }

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

std::vector<Item> cut_tiles(const Image& image, Shape tile) {
  check_image(image);
  DDPM_CHECK(image.channels == tile.c, "{} channels, tiles have {}", image.channels, tile.c);
  std::vector<Item> items;
  for (int row = 0; row < tiles_along(image.height, tile.h); ++row) {
    for (int column = 0; column < tiles_along(image.width, tile.w); ++column) {
      items.push_back(cut(image, tile, column * tile.w, row * tile.h));
    }
  }
  return items;
}

Image join_tiles(const std::vector<Item>& items, std::size_t first, Shape tile, int width,
                 int height) {
  Image image = blank_image(width, height, tile.c);
  const int columns = tiles_along(width, tile.w);
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
