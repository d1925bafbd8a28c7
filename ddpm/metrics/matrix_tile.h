// One tile of a matrix product, by one thread: matrix_tile.cpp holds it for each instruction set.
#pragma once

#include "ddpm/metrics/matrix.h"

namespace ddpm {

inline constexpr int kTile = 384, kInner = 256;  // a tile's sides; how much of k is packed at once
inline constexpr int kSpare = 32;  // a side may end in part of a block, of at most so many columns

/// T: float or double, in which every element is one fma chain.
template <class T>
struct Tile {
  ViewOf<T> a, b;                         // already at the tile's first row and column
  int m = 0, n = 0, first = 0, last = 0;  // sides; k in [first, last)
  T scale = 1;
  T* c = nullptr;
  std::ptrdiff_t stride = 0;
};

/// Numbers that tile_product() needs as scratch for tiles of at most m x n.
std::size_t tile_scratch(int m, int n);

void tile_product(const Tile<double>& tile, double* scratch);
void tile_product(const Tile<float>& tile, float* scratch);

}  // namespace ddpm
