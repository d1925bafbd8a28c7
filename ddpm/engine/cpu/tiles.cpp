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

Tiles::Tiles(const Shape& y, const Shape& x, int pad)
    : count((y.h + kTile - 1) / kTile * ((y.w + kTile - 1) / kTile)) {
  for (int r = 0; r < y.h; r += kTile) {
    for (int s = 0; s < y.w; s += kTile) {
      append_square(x, r - pad, s - pad, kTileInput, input);
      append_square(y, r, s, kTile, output);
    }
  }
}

}  // namespace ddpm::cpu
