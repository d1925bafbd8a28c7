// One tile of a matrix product, by one thread: matrix_tile.cpp holds it for each instruction set.
#pragma once

#include "ddpm/metrics/matrix.h"

namespace ddpm {

inline constexpr int kTile = 192, kInner = 128;  // a tile's sides; how much of k is packed at once

struct Tile {
  MatrixView a, b;                        // already at the tile's first row and column
  int m = 0, n = 0, first = 0, last = 0;  // sides; k in [first, last)
  double scale = 1;
  double* c = nullptr;
  std::ptrdiff_t stride = 0;
};

/// Doubles that tile_product() needs as scratch.
std::size_t tile_scratch();

void tile_product(const Tile& tile, double* scratch);

}  // namespace ddpm
