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

inline constexpr int kPackedRows = 96;  // packed at once: a multiple of every block's sides

/// Rows of dims numbers in the order in which blocks read them as the first factor (left) and as
/// the second: kInner numbers of all rows after the other.
template <class T>
struct PackedRows {
  const T *left, *right;
  int rows, dims;
};

/// Packs `count` of the `rows` rows, dense at `data`, from row `first` on, a multiple of
/// kPackedRows.
template <class T>
struct Packing {
  const T* data;
  int first, count, rows, dims;
  T *left, *right;  // packed_size() numbers each, of all rows
};
std::size_t packed_size(int rows, int dims);
void pack_rows(const Packing<double>& packing);
void pack_rows(const Packing<float>& packing);

/// c(r, s) += sum over k of left(i + r, k) right(j + s, k), r < m, s < n, one fma chain an element;
/// i and j are multiples of kPackedRows.
template <class T>
struct PackedTile {
  PackedRows<T> left, right;
  int i, j, m, n;
  T* c;
  std::ptrdiff_t stride;
};
void packed_product(const PackedTile<double>& tile);
void packed_product(const PackedTile<float>& tile);

}  // namespace ddpm
