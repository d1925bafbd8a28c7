#include "ddpm/metrics/matrix_tile.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ddpm/metrics/matrix_tile.cpp"
#include <hwy/foreach_target.h>
// After foreach_target.h:
#include <hwy/highway.h>

#include <algorithm>
#include <cmath>

HWY_BEFORE_NAMESPACE();
namespace ddpm::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using D = hn::CappedTag<double, 8>;
using V = hn::Vec<D>;
constexpr int kWidth = static_cast<int>(hn::MaxLanes(D()));

// A block of kRows x kCols accumulators fills the register file beside two vectors of b.
constexpr int kRows = kWidth == 8 ? 12 : kWidth == 1 ? 4 : 6;
constexpr int kVectors = 2, kCols = kVectors * kWidth;

// a * b + c with one rounding. Highway 1.0.3's own MulAdd rounds twice on SCALAR.
HWY_INLINE V fma(V a, V b, V c) {
#if HWY_TARGET == HWY_SCALAR
  return V(std::fma(a.raw, b.raw, c.raw));
#else
  return hn::MulAdd(a, b, c);
#endif
}

// Groups of `width` rows (or columns) side by side for each k; zeros beyond `count`.
void pack(const double* data, std::ptrdiff_t step, std::ptrdiff_t along, int count, int inner,
          int width, double scale, double* out) {
  for (int first = 0; first < count; first += width) {
    const int here = std::min(width, count - first);
    for (int k = 0; k < inner; ++k) {
      const double* from = data + first * step + k * along;
      for (int r = 0; r < here; ++r) out[r] = scale * from[r * step];
      for (int r = here; r < width; ++r) out[r] = 0;
      out += width;
    }
  }
}

// c[kRows][kCols] += packed a * packed b.
HWY_INLINE void block_product(const double* HWY_RESTRICT a, const double* HWY_RESTRICT b, int inner,
                              double* HWY_RESTRICT c) {
  const D d;
  V acc[kRows][kVectors];
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 2
    for (int v = 0; v < kVectors; ++v) acc[r][v] = hn::LoadU(d, c + r * kCols + v * kWidth);
  }
  for (int k = 0; k < inner; ++k) {
    const V b0 = hn::LoadU(d, b), b1 = hn::LoadU(d, b + kWidth);
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) {
      const V x = hn::Set(d, a[r]);
      acc[r][0] = fma(x, b0, acc[r][0]);
      acc[r][1] = fma(x, b1, acc[r][1]);
    }
    a += kRows;
    b += kCols;
  }
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 2
    for (int v = 0; v < kVectors; ++v) hn::StoreU(acc[r][v], d, c + r * kCols + v * kWidth);
  }
}

void add_block(const Tile& t, const double* a, const double* b, int inner, int i, int j) {
  const int rows = std::min(kRows, t.m - i), cols = std::min(kCols, t.n - j);
  HWY_ALIGN double block[kRows * kCols] = {};
  for (int r = 0; r < rows; ++r) {
    std::copy_n(t.c + (i + r) * t.stride + j, cols, block + r * kCols);
  }
  block_product(a, b, inner, block);
  for (int r = 0; r < rows; ++r) {
    std::copy_n(block + r * kCols, cols, t.c + (i + r) * t.stride + j);
  }
}

void run_tile(const Tile& t, double* scratch) {
  double* const packed_b = scratch + std::size_t{kTile + 16} * kInner;
  for (int k = t.first; k < t.last; k += kInner) {
    const int inner = std::min(kInner, t.last - k);
    pack(t.a.data + k * t.a.right, t.a.down, t.a.right, t.m, inner, kRows, t.scale, scratch);
    pack(t.b.data + k * t.b.down, t.b.right, t.b.down, t.n, inner, kCols, 1, packed_b);
    for (int j = 0; j < t.n; j += kCols) {
      for (int i = 0; i < t.m; i += kRows) {
        add_block(t, scratch + std::size_t{1} * i * inner, packed_b + std::size_t{1} * j * inner,
                  inner, i, j);
      }
    }
  }
}

}  // namespace ddpm::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ddpm {

HWY_EXPORT(run_tile);

std::size_t tile_scratch() { return std::size_t{2} * (kTile + 16) * kInner; }

void tile_product(const Tile& tile, double* scratch) {
  HWY_DYNAMIC_DISPATCH(run_tile)(tile, scratch);
}

}  // namespace ddpm
#endif  // HWY_ONCE
