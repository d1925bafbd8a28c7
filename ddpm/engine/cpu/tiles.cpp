#include "ddpm/engine/cpu/tiles.h"

namespace ddpm::cpu {
namespace {

// Appends the pixels of the square of `side` whose first corner is (y, x).
void append_square(const Shape& image, int y, int x, int side, std::vector<std::int32_t>& pixels) {
  for (int r = y; r < y + side; ++r) {
    for (int s = x; s < x + side; ++s) {
      const bool inside = r >= 0 && r < image.h && s >= 0 && s < image.w;
      pixels.push_back(inside ? r * image.w + s : -1);
    }
  }
}

}  // namespace

Tiles::Tiles(const Shape& image)
    : count((image.h + kTile - 1) / kTile * ((image.w + kTile - 1) / kTile)) {
  for (int y = 0; y < image.h; y += kTile) {
    for (int x = 0; x < image.w; x += kTile) {
      append_square(image, y - 1, x - 1, kTileInput, input);
      append_square(image, y, x, kTile, output);
    }
  }
}

}  // namespace ddpm::cpu
