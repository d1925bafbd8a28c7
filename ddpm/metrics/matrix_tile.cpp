#include "ddpm/metrics/matrix_tile.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ddpm/metrics/matrix_tile.cpp"
#include <hwy/foreach_target.h>
// After foreach_target.h:
#include <hwy/highway.h>

#include <algorithm>

#include "ddpm/base/fma-inl.h"

HWY_BEFORE_NAMESPACE();
namespace ddpm::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// A block of kRows x kCols accumulators fills the register file beside two vectors of b.
template <class T>
struct Block {
  using D = hn::CappedTag<T, 64 / sizeof(T)>;
  using V = hn::Vec<D>;
  static constexpr int kBytes = static_cast<int>(hn::MaxLanes(D()) * sizeof(T));
  static constexpr int kWidth = static_cast<int>(hn::MaxLanes(D()));
  static constexpr int kRows = kBytes == 64 ? 12 : kWidth == 1 ? 4 : 6;
  static constexpr int kVectors = 2, kCols = kVectors * kWidth;
};

// Groups of kGroup rows (or columns) side by side for each k; zeros beyond `count`. A stretch of k
// at a time: what lies `step` apart shares few sets of the cache, and a line of it is read once.
template <int kGroup, bool kDense, class T>
void pack(const T* data, std::ptrdiff_t step, std::ptrdiff_t along, int count, int inner, T scale,
          T* HWY_RESTRICT out) {
  constexpr int kStretch = 16;
  if (kDense) along = 1;
  for (int first = 0; first < count; first += kGroup, out += std::ptrdiff_t{kGroup} * inner) {
    const int here = std::min(kGroup, count - first);
    if (here < kGroup) std::fill_n(out, std::ptrdiff_t{kGroup} * inner, T{0});
    int k = 0;
    for (; k + kStretch <= inner; k += kStretch) {
      for (int r = 0; r < here; ++r) {
        const T* const from = data + (first + r) * step + k * along;
        T* const to = out + k * kGroup + r;
#pragma GCC unroll 16
        for (int i = 0; i < kStretch; ++i) to[i * kGroup] = scale * from[i * along];
      }
    }
    for (; k < inner; ++k) {
      for (int r = 0; r < here; ++r)
        out[k * kGroup + r] = scale * data[(first + r) * step + k * along];
    }
  }
}

template <int kGroup, class T>
void pack_any(const T* data, std::ptrdiff_t step, std::ptrdiff_t along, int count, int inner,
              T scale, T* out) {
  const auto packs = along == 1 ? pack<kGroup, true, T> : pack<kGroup, false, T>;
  packs(data, step, along, count, inner, scale, out);
}

// c[kRows][kCols], its rows `stride` apart, += packed a * packed b.
template <class T>
HWY_INLINE void block_product(const T* HWY_RESTRICT a, const T* HWY_RESTRICT b, int inner,
                              T* HWY_RESTRICT c, std::ptrdiff_t stride) {
  constexpr int kRows = Block<T>::kRows, kVectors = Block<T>::kVectors;
  constexpr int kWidth = Block<T>::kWidth, kCols = Block<T>::kCols;
  using V = typename Block<T>::V;
  const typename Block<T>::D d;
  V acc[kRows][kVectors];
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 2
    for (int v = 0; v < kVectors; ++v) acc[r][v] = hn::LoadU(d, c + r * stride + v * kWidth);
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
    for (int v = 0; v < kVectors; ++v) hn::StoreU(acc[r][v], d, c + r * stride + v * kWidth);
  }
}

// AnyTile: has m, n, c and stride.
template <class AnyTile, class T>
void add_block(const AnyTile& t, const T* a, const T* b, int inner, int i, int j) {
  constexpr int kRows = Block<T>::kRows, kCols = Block<T>::kCols;
  const int rows = std::min(kRows, t.m - i), cols = std::min(kCols, t.n - j);
  T* const c = t.c + i * t.stride + j;
  if (rows == kRows && cols == kCols) return block_product(a, b, inner, c, t.stride);
  HWY_ALIGN T block[kRows * kCols] = {};
  for (int r = 0; r < rows; ++r) std::copy_n(c + r * t.stride, cols, block + r * kCols);
  block_product(a, b, inner, block, kCols);
  for (int r = 0; r < rows; ++r) std::copy_n(block + r * kCols, cols, c + r * t.stride);
}

template <class AnyTile, class T>
void add_blocks(const AnyTile& t, const T* a, const T* b, int inner) {
  for (int j = 0; j < t.n; j += Block<T>::kCols) {
    for (int i = 0; i < t.m; i += Block<T>::kRows) {
      add_block(t, a + std::ptrdiff_t{1} * i * inner, b + std::ptrdiff_t{1} * j * inner, inner, i,
                j);
    }
  }
}

template <class T>
void run_tile(const Tile<T>& t, T* scratch) {
  constexpr int kRows = Block<T>::kRows, kCols = Block<T>::kCols;
  T* const packed_b = scratch + std::size_t{1} * (t.m + kSpare) * kInner;
  for (int k = t.first; k < t.last; k += kInner) {
    const int inner = std::min(kInner, t.last - k);
    pack_any<kRows>(t.a.data + k * t.a.right, t.a.down, t.a.right, t.m, inner, t.scale, scratch);
    pack_any<kCols>(t.b.data + k * t.b.down, t.b.right, t.b.down, t.n, inner, T{1}, packed_b);
    add_blocks(t, scratch, packed_b, inner);
  }
}

// Where row i of packed rows begins, from k on, in groups of kGroup.
template <int kGroup, class T>
T* packed(T* rows, int count, int k, int i, int inner) {
  const std::ptrdiff_t whole = (count + kGroup - 1) / kGroup * kGroup;
  return rows + whole * k + std::ptrdiff_t{1} * i * inner;
}

template <class T>
void pack_all(const Packing<T>& p) {
  constexpr int kRows = Block<T>::kRows, kCols = Block<T>::kCols;
  static_assert(kPackedRows % kRows == 0 && kPackedRows % kCols == 0);
  for (int k = 0; k < p.dims; k += kInner) {
    const int inner = std::min(kInner, p.dims - k);
    pack<kRows, true>(p.data + k, p.dims, 1, p.count, inner, T{1},
                      packed<kRows>(p.left, p.rows, k, p.first, inner));
    pack<kCols, true>(p.data + k, p.dims, 1, p.count, inner, T{1},
                      packed<kCols>(p.right, p.rows, k, p.first, inner));
  }
}

template <class T>
void run_packed(const PackedTile<T>& t) {
  for (int k = 0; k < t.left.dims; k += kInner) {
    const int inner = std::min(kInner, t.left.dims - k);
    add_blocks(t, packed<Block<T>::kRows>(t.left.left, t.left.rows, k, t.i, inner),
               packed<Block<T>::kCols>(t.right.right, t.right.rows, k, t.j, inner), inner);
  }
}

void pack_f64(const Packing<double>& p) { pack_all(p); }
void pack_f32(const Packing<float>& p) { pack_all(p); }
void run_packed_f64(const PackedTile<double>& t) { run_packed(t); }
void run_packed_f32(const PackedTile<float>& t) { run_packed(t); }
void run_tile_f64(const Tile<double>& t, double* scratch) { run_tile(t, scratch); }
void run_tile_f32(const Tile<float>& t, float* scratch) { run_tile(t, scratch); }

}  // namespace ddpm::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ddpm {

HWY_EXPORT(run_tile_f64);
HWY_EXPORT(run_tile_f32);
HWY_EXPORT(pack_f64);
HWY_EXPORT(pack_f32);
HWY_EXPORT(run_packed_f64);
HWY_EXPORT(run_packed_f32);

std::size_t tile_scratch(int m, int n) {
  return std::size_t{1} * (std::min(m, kTile) + kSpare + std::min(n, kTile) + kSpare) * kInner;
}

void tile_product(const Tile<double>& tile, double* scratch) {
  HWY_DYNAMIC_DISPATCH(run_tile_f64)(tile, scratch);
}

void tile_product(const Tile<float>& tile, float* scratch) {
  HWY_DYNAMIC_DISPATCH(run_tile_f32)(tile, scratch);
}

std::size_t packed_size(int rows, int dims) { return std::size_t{1} * (rows + kSpare) * dims; }

void pack_rows(const Packing<double>& packing) { HWY_DYNAMIC_DISPATCH(pack_f64)(packing); }
void pack_rows(const Packing<float>& packing) { HWY_DYNAMIC_DISPATCH(pack_f32)(packing); }

void packed_product(const PackedTile<double>& tile) { HWY_DYNAMIC_DISPATCH(run_packed_f64)(tile); }
void packed_product(const PackedTile<float>& tile) { HWY_DYNAMIC_DISPATCH(run_packed_f32)(tile); }

}  // namespace ddpm
#endif  // HWY_ONCE
