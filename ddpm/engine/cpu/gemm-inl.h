// The two matrix products that carry all convolutions and attention.
#if defined(DDPM_ENGINE_CPU_GEMM_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef DDPM_ENGINE_CPU_GEMM_INL_H_
#undef DDPM_ENGINE_CPU_GEMM_INL_H_
#else
#define DDPM_ENGINE_CPU_GEMM_INL_H_
#endif

#include <hwy/cache_control.h>

#include <algorithm>
#include <cstring>

#include "ddpm/engine/cpu/kernels.h"
#include "ddpm/engine/cpu/math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace ddpm::cpu::HWY_NAMESPACE {

// Pixels in one block of the panel product: accumulators, weights and one broadcast fill the
// register file (32 vectors on AVX-512, 16 on AVX2). Blocking leaves values alone: every
// accumulator is its own chain.
constexpr int kBlock = kWidth == 16 ? 8 : kWidth == 8 ? 6 : 4;

// Where a block of pixels finds its rows: divisions happen once a block, not once a tap.
template <int R>
struct BlockRows {
  HWY_INLINE BlockRows(const PanelProduct& a, int first) {
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r) {
      const int p = std::min(first + r, a.end - 1);  // past the end: a row that is not stored
      const int image = p / a.pixels;
      taps[r] = a.taps + static_cast<std::size_t>(p - image * a.pixels) * a.n_taps;
      images[r] = a.x + image * a.x_image;
    }
  }

  HWY_INLINE void at(const PanelProduct& a, int tap, const float* HWY_RESTRICT rows[R]) const {
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r) {
      const std::int32_t offset = taps[r][tap];
      rows[r] = offset < 0 ? a.zeros : images[r] + offset;
    }
  }

  const std::int32_t* taps[R];
  const float* images[R];
};

// Where pixel p, counted through all images, lies in y.
HWY_INLINE std::size_t place_of(const PanelProduct& a, int p) {
  if (a.places == nullptr) return p;
  const int image = p / a.pixels;
  return std::size_t{1} * image * a.image_pixels + a.places[p - image * a.pixels];
}

template <int W>
HWY_INLINE void store_columns(const PanelProduct& a, const V (&acc)[W], float* y) {
  const V alpha = all(a.alpha);
  if (a.columns == W * kWidth) {
#pragma GCC unroll 16
    for (int v = 0; v < W; ++v) store(hn::Mul(acc[v], alpha), y + v * kWidth);
    return;
  }
  HWY_ALIGN float row[W * kWidth];
#pragma GCC unroll 16
  for (int v = 0; v < W; ++v) store(hn::Mul(acc[v], alpha), row + v * kWidth);
  std::memcpy(y, row, sizeof(float) * a.columns);
}

// As store_columns(), with the sums of a fused epilogue. columns is W whole vectors.
template <int W>
HWY_INLINE void store_sums(const PanelProduct& a, const V (&acc)[W], int pixel) {
  const V alpha = all(a.alpha);
  const float* vector = a.vector ? a.vector + pixel / a.pixels * a.vector_image : nullptr;
  const std::size_t place = place_of(a, pixel);
  const float* residual = a.residual ? a.residual + place * a.residual_stride : nullptr;
  float* y = a.y + place * a.y_stride;
#pragma GCC unroll 16
  for (int v = 0; v < W; ++v) {
    V sum = hn::Mul(acc[v], alpha);
    if (vector) sum = hn::Add(sum, load(vector + v * kWidth));
    if (residual) sum = hn::Add(sum, load(residual + v * kWidth));
    if (a.relu) sum = hn::Max(sum, hn::Zero(D()));
    store(sum, y + v * kWidth);
  }
}

template <int R, int W, bool kEpilogue, bool kFetch>
HWY_NOINLINE void panel_block(const PanelProduct& a, int first) {
  const float* next[R];  // rows of the block to come, a cache line of one at a time
  if constexpr (kFetch) BlockRows<R>(a, first + R).at(a, 0, next);
  V acc[R][W];
#pragma GCC unroll 16
  for (int v = 0; v < W; ++v) {
    const V start = a.bias ? load(a.bias + v * kWidth) : hn::Zero(D());
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r) acc[r][v] = start;
  }
  const BlockRows<R> block(a, first);
  const float* HWY_RESTRICT w = a.w;
  for (int tap = 0; tap < a.n_taps; ++tap) {
    const float* HWY_RESTRICT rows[R];
    block.at(a, tap, rows);
    for (int c = 0; c < a.channels; ++c) {
      if (kFetch && c % 16 < R) hwy::Prefetch(next[c % 16] + c / 16 * 16);
      V weights[W];
#pragma GCC unroll 16
      for (int v = 0; v < W; ++v) weights[v] = load(w + v * kWidth);
      w += W * kWidth;
#pragma GCC unroll 16
      for (int r = 0; r < R; ++r) {
        const V x = all(rows[r][c]);
#pragma GCC unroll 16
        for (int v = 0; v < W; ++v) acc[r][v] = fma(x, weights[v], acc[r][v]);
      }
    }
  }
  const int rows = std::min(R, a.end - first);
#pragma GCC unroll 16
  for (int r = 0; r < R;
       ++r) {  // a constant bound: a variable one would force the accumulators into memory
    if (r >= rows) continue;
    if constexpr (kEpilogue) {
      store_sums<W>(a, acc[r], first + r);
    } else {
      store_columns<W>(a, acc[r], a.y + place_of(a, first + r) * a.y_stride);
    }
  }
}

template <int W>
HWY_INLINE void panel_blocks(const PanelProduct& a) {
  const bool fetch = a.n_taps == 1;
  const auto plain =
      fetch ? panel_block<kBlock, W, false, true> : panel_block<kBlock, W, false, false>;
  const auto summed =
      fetch ? panel_block<kBlock, W, true, true> : panel_block<kBlock, W, true, false>;
  const auto block = a.vector || a.residual || a.relu ? summed : plain;
  for (int p = a.begin; p < a.end; p += kBlock) block(a, p);
}

void panel_product(const PanelProduct& a) {
  if (a.vectors == 2) {
    panel_blocks<2>(a);
  } else {
    panel_blocks<1>(a);
  }
}

// AVX2's registers hold half the rows; the others follow in a second pass over the same pixels.
constexpr int kOuterBlock = kWidth == 8 ? 4 : kOuterRows;

template <int R, int W>
HWY_NOINLINE void outer_block(const OuterProduct& a, int first_row) {
  V acc[R][W];
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 16
    for (int v = 0; v < W; ++v) acc[r][v] = load(a.dw + (first_row + r) * a.dw_stride + v * kWidth);
  }
  for (int image = 0; image < a.images; ++image) {
    const float* HWY_RESTRICT x = a.a + image * a.a_image + first_row;
    const float* HWY_RESTRICT b = a.b + image * a.b_image;
    for (int p = 0; p < a.pixels; ++p, b += a.b_stride) {
      const std::int32_t offset = a.taps[p];
      if (offset < 0) continue;  // fma(0, b, acc) is acc
      const float* HWY_RESTRICT row = x + offset;
      V columns[W];
#pragma GCC unroll 16
      for (int v = 0; v < W; ++v) columns[v] = load(b + v * kWidth);
#pragma GCC unroll 16
      for (int r = 0; r < R; ++r) {
        const V value = all(row[r]);
#pragma GCC unroll 16
        for (int v = 0; v < W; ++v) acc[r][v] = fma(value, columns[v], acc[r][v]);
      }
    }
  }
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 16
    for (int v = 0; v < W; ++v) store(acc[r][v], a.dw + (first_row + r) * a.dw_stride + v * kWidth);
  }
}

template <int W>
HWY_INLINE void outer_blocks(const OuterProduct& a) {
  int r = 0;
  for (; r + kOuterBlock <= a.rows; r += kOuterBlock) outer_block<kOuterBlock, W>(a, r);
  for (; r < a.rows; ++r) outer_block<1, W>(a, r);
}

void outer_product(const OuterProduct& a) {
  if (a.vectors == 2) {
    outer_blocks<2>(a);
  } else {
    outer_blocks<1>(a);
  }
}

}  // namespace ddpm::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // DDPM_ENGINE_CPU_GEMM_INL_H_
