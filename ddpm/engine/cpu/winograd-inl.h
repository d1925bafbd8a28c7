// The transforms and products of winograd.h.
#if defined(DDPM_ENGINE_CPU_WINOGRAD_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef DDPM_ENGINE_CPU_WINOGRAD_INL_H_
#undef DDPM_ENGINE_CPU_WINOGRAD_INL_H_
#else
#define DDPM_ENGINE_CPU_WINOGRAD_INL_H_
#endif

#include <hwy/cache_control.h>

#include <algorithm>

#include "ddpm/engine/cpu/math-inl.h"
#include "ddpm/engine/cpu/winograd.h"

HWY_BEFORE_NAMESPACE();
namespace ddpm::cpu::HWY_NAMESPACE {

// One axis of B^T d: 6 -> 6.
struct InputAxis {
  static constexpr int kIn = 6, kOut = 6;
  static HWY_INLINE void apply(const V (&d)[6], V (&o)[6]) {
    const V t1 = fma(all(-4), d[2], d[4]), t2 = fma(all(-4), d[1], d[3]);
    const V t3 = hn::Sub(d[4], d[2]), t4 = hn::Mul(all(2), hn::Sub(d[3], d[1]));
    o[0] = fma(all(4), d[0], fma(all(-5), d[2], d[4]));
    o[1] = hn::Add(t1, t2);
    o[2] = hn::Sub(t1, t2);
    o[3] = hn::Add(t3, t4);
    o[4] = hn::Sub(t3, t4);
    o[5] = fma(all(4), d[1], fma(all(-5), d[3], d[5]));
  }
};

// One axis of A dy: 4 -> 6.
struct GradientAxis {
  static constexpr int kIn = 4, kOut = 6;
  static HWY_INLINE void apply(const V (&y)[4], V (&o)[6]) {
    const V even = hn::Add(y[0], y[2]), odd = hn::Add(y[1], y[3]);
    const V even2 = fma(all(4), y[2], y[0]);
    const V odd2 = hn::Mul(all(2), fma(all(4), y[3], y[1]));
    o[0] = y[0];
    o[1] = hn::Add(even, odd);
    o[2] = hn::Sub(even, odd);
    o[3] = hn::Add(even2, odd2);
    o[4] = hn::Sub(even2, odd2);
    o[5] = y[3];
  }
};

// One axis of A^T m: 6 -> 4.
struct OutputAxis {
  static constexpr int kIn = 6, kOut = 4;
  static HWY_INLINE void apply(const V (&m)[6], V (&o)[4]) {
    const V a = hn::Add(m[1], m[2]), b = hn::Sub(m[1], m[2]);
    const V e = hn::Add(m[3], m[4]), f = hn::Sub(m[3], m[4]);
    o[0] = hn::Add(hn::Add(m[0], a), e);
    o[1] = fma(all(2), f, b);
    o[2] = fma(all(4), e, a);
    o[3] = hn::Add(fma(all(8), f, b), m[5]);
  }
};

// One axis of G w: 3 -> 6.
struct WeightAxis {
  static constexpr int kIn = 3, kOut = 6;
  static HWY_INLINE void apply(const V (&w)[3], V (&o)[6]) {
    const V sixth = all(1.0f / 6);
    const V outer = hn::Mul(hn::Add(w[0], w[2]), all(-1.0f / 6));
    const V far = fma(w[0], all(1.0f / 24), hn::Mul(w[2], sixth));
    o[0] = hn::Mul(w[0], all(0.25f));
    o[1] = fma(w[1], all(-1.0f / 6), outer);
    o[2] = fma(w[1], sixth, outer);
    o[3] = fma(w[1], all(1.0f / 12), far);
    o[4] = fma(w[1], all(-1.0f / 12), far);
    o[5] = w[2];
  }
};

// One axis of G^T s: 6 -> 3.
struct WeightGradientAxis {
  static constexpr int kIn = 6, kOut = 3;
  static HWY_INLINE void apply(const V (&s)[6], V (&o)[3]) {
    const V near = hn::Add(s[1], s[2]), far = hn::Add(s[3], s[4]);
    const V near_odd = hn::Sub(s[2], s[1]), far_odd = hn::Sub(s[3], s[4]);
    const V sixth = all(1.0f / 6);
    o[0] = fma(far, all(1.0f / 24), fma(near, all(-1.0f / 6), hn::Mul(s[0], all(0.25f))));
    o[1] = fma(far_odd, all(1.0f / 12), hn::Mul(near_odd, sixth));
    o[2] = hn::Add(hn::Mul(hn::Sub(far, near), sixth), s[5]);
  }
};

// Both axes: get(i) loads entry i of the kIn x kIn square, put(i, value) stores entry i of kOut x
// kOut. Rows first.
template <class Axis, class Get, class Put>
HWY_INLINE void transform_square(const Get& get, const Put& put) {
  constexpr int kIn = Axis::kIn, kOut = Axis::kOut;
  V half[kOut][kIn];  // [column of the result][row]
#pragma GCC unroll 16
  for (int r = 0; r < kIn; ++r) {
    V row[kIn], out[kOut];
#pragma GCC unroll 16
    for (int s = 0; s < kIn; ++s) row[s] = get(r * kIn + s);
    Axis::apply(row, out);
#pragma GCC unroll 16
    for (int s = 0; s < kOut; ++s) half[s][r] = out[s];
  }
#pragma GCC unroll 16
  for (int s = 0; s < kOut; ++s) {
    V out[kOut];
    Axis::apply(half[s], out);
#pragma GCC unroll 16
    for (int r = 0; r < kOut; ++r) put(r * kOut + s, out[r]);
  }
}

// The columns kFirst .. kFirst + kCount - 1 of the result alone, one after the other; the same
// operations as transform_square's, of which the compiler leaves out what no column needs.
template <class Axis, int kFirst, int kCount, class Get, class Put>
HWY_INLINE void transform_columns(const Get& get, const Put& put) {
  constexpr int kIn = Axis::kIn, kOut = Axis::kOut;
  V half[kCount][kIn];
#pragma GCC unroll 16
  for (int r = 0; r < kIn; ++r) {
    V row[kIn], out[kOut];
#pragma GCC unroll 16
    for (int s = 0; s < kIn; ++s) row[s] = get(r * kIn + s);
    Axis::apply(row, out);
#pragma GCC unroll 16
    for (int s = 0; s < kCount; ++s) half[s][r] = out[kFirst + s];
  }
#pragma GCC unroll 16
  for (int s = 0; s < kCount; ++s) {
    V out[kOut];
    Axis::apply(half[s], out);
#pragma GCC unroll 16
    for (int r = 0; r < kOut; ++r) put(s * kOut + r, out[r]);
  }
}

// transform(get, put) of the kEntries pixels of every tile, a vector of channels at a time.
template <int kEntries, class Transform>
HWY_INLINE void transform_tiles(const TileTransform& a, const Transform& transform) {
  for (int tile = a.begin; tile < a.end; ++tile) {
    const int image = tile / a.tiles;
    const float* x = a.x + image * a.x_image;
    const std::int32_t* pixels = a.pixels + std::size_t{kEntries} * (tile - image * a.tiles);
    const float* from[kEntries];
    for (int i = 0; i < kEntries; ++i) {
      from[i] = pixels[i] < 0 ? a.zeros : x + pixels[i] * a.x_pixel;
    }
    float* v = a.v + (tile - a.begin) * a.layout.tile_stride;
    for (int block = 0; block < a.channels; block += a.layout.block) {
      const int width = std::min(a.layout.block, a.channels - block);
      for (int c = 0; c < width; c += kWidth) {
        transform([&](int i) HWY_ATTR { return load(from[i] + block + c); },
                  [&](int i, V value)
                      HWY_ATTR { store(value, v + i * a.layout.component_stride + c); });
      }
      v += a.layout.block_stride;
    }
  }
}

void transform_input(const TileTransform& a) {
  transform_tiles<36>(
      a, [](const auto& get, const auto& put) HWY_ATTR { transform_square<InputAxis>(get, put); });
}

template <class Axis, int kFirst, int kCount>
HWY_NOINLINE void columns_of(const TileTransform& a) {
  transform_tiles<Axis::kIn * Axis::kIn>(a, [](const auto& get, const auto& put) HWY_ATTR {
    transform_columns<Axis, kFirst, kCount>(get, put);
  });
}

template <class Axis>
void choose_columns(const TileColumns& a) {
  static_assert(kWideColumns == 3);
  if (a.columns == kWideColumns) {
    return a.column == 0 ? columns_of<Axis, 0, 3>(a.tiles) : columns_of<Axis, 3, 3>(a.tiles);
  }
  constexpr void (*kOne[])(const TileTransform&) = {columns_of<Axis, 0, 1>, columns_of<Axis, 1, 1>,
                                                    columns_of<Axis, 2, 1>, columns_of<Axis, 3, 1>,
                                                    columns_of<Axis, 4, 1>, columns_of<Axis, 5, 1>};
  kOne[a.column](a.tiles);
}

void transform_input_columns(const TileColumns& a) { choose_columns<InputAxis>(a); }
void transform_gradient_columns(const TileColumns& a) { choose_columns<GradientAxis>(a); }

inline constexpr std::size_t kLine = 64 / sizeof(float);  // floats of a cache line

// Begins to load a line as far as the second-level cache: what the first level holds stays there.
HWY_INLINE void fetch_far(const float* at) { __builtin_prefetch(at, 0, 2); }

// R tiles by W vectors of one component. A line at `ahead` is fetched with every channel: weights
// come from the third-level cache, which no core waits for when they are asked for a component
// early.
template <int R, int W, bool kAdd>
HWY_INLINE void tile_block(const TileProduct& a, const float* HWY_RESTRICT v,
                           const float* HWY_RESTRICT u, float* HWY_RESTRICT m, const float* ahead) {
  V acc[R][W];
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 16
    for (int w = 0; w < W; ++w) {
      acc[r][w] = kAdd ? load(m + (r * W + w) * kWidth) : hn::Zero(D());
    }
  }
  for (int c = 0; c < a.channels; ++c, u += W * kWidth, ahead += kLine) {
    fetch_far(ahead);
    V weights[W];
#pragma GCC unroll 16
    for (int w = 0; w < W; ++w) weights[w] = load(u + w * kWidth);
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r) {
      const V x = all(v[r * a.v_tile + c]);
#pragma GCC unroll 16
      for (int w = 0; w < W; ++w) acc[r][w] = fma(x, weights[w], acc[r][w]);
    }
  }
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 16
    for (int w = 0; w < W; ++w) store(acc[r][w], m + (r * W + w) * kWidth);
  }
}

// Begins to load the k-th of kComponents parts of what comes next.
HWY_INLINE void fetch_part(const TileProduct& a, int k) {
  const std::size_t part = a.next_floats / kComponents;
  for (std::size_t i = k * part; i < (k + 1) * part; i += kLine) hwy::Prefetch(a.next + i);
}

template <int W, bool kAdd>
HWY_NOINLINE void tile_product_of(const TileProduct& a) {
  constexpr int kRows = kWidth == 16 ? 8 : kWidth == 8 ? 6 : 4;  // fills the register file
  constexpr int kFew = kRows / 2, kFewest = kFew / 2;
  for (int k = 0; k < kComponents; ++k) {
    const float* v = a.v + k * a.v_component;
    const float* u = a.u + k * a.u_component;
    float* m = a.m + k * a.m_component;
    constexpr std::size_t kStep = std::size_t{1} * W * kWidth;
    fetch_part(a, k);
    const float* ahead = k + 1 < kComponents ? u + a.u_component : u;
    int t = 0;
    for (; t + kFew < a.tiles; t += kRows, ahead += a.channels * kLine) {
      tile_block<kRows, W, kAdd>(a, v + t * a.v_tile, u, m + t * kStep, ahead);
    }
    if (t + kFewest < a.tiles) {
      tile_block<kFew, W, kAdd>(a, v + t * a.v_tile, u, m + t * kStep, ahead);
    } else if (t < a.tiles) {
      tile_block<kFewest, W, kAdd>(a, v + t * a.v_tile, u, m + t * kStep, ahead);
    }
  }
}

void tile_product(const TileProduct& a) {
  if (a.vectors == 2) {
    a.add ? tile_product_of<2, true>(a) : tile_product_of<2, false>(a);
  } else {
    a.add ? tile_product_of<1, true>(a) : tile_product_of<1, false>(a);
  }
}

template <bool kVector, bool kResidual>
HWY_INLINE void output_tiles(const TileOutput& a) {
  constexpr int kOutputs = kTile * kTile;
  for (int tile = a.begin; tile < a.end; ++tile) {
    const int image = tile / a.tiles;
    const std::int32_t* pixels = a.pixels + std::size_t{kOutputs} * (tile - image * a.tiles);
    const float* m = a.m + (tile - a.begin) * a.m_tile;
    const float* vector = kVector ? a.vector + image * a.vector_image : nullptr;
    const float* residual = kResidual ? a.residual + image * a.residual_image : nullptr;
    float* y = a.y + image * a.y_image;
    for (int c = 0; c < a.columns; c += kWidth) {
      const V bias = load(a.bias + c);
      transform_square<OutputAxis>(
          [&](int i) HWY_ATTR { return load(m + i * a.m_component + c); },
          [&](int i, V value) HWY_ATTR {
            if (pixels[i] < 0) return;
            value = hn::Add(value, bias);
            if (kVector) value = hn::Add(value, load(vector + c));
            if (kResidual)
              value = hn::Add(value, load(residual + pixels[i] * a.residual_pixel + c));
            if (a.relu) value = hn::Max(value, hn::Zero(D()));
            store(value, y + pixels[i] * a.y_pixel + c);
          });
    }
  }
}

void transform_output(const TileOutput& a) {
  if (a.vector) {
    a.residual ? output_tiles<true, true>(a) : output_tiles<true, false>(a);
  } else {
    a.residual ? output_tiles<false, true>(a) : output_tiles<false, false>(a);
  }
}

void transform_weight(const WeightTransform& a) {
  constexpr int kTaps = 9;
  const std::size_t step = a.u_component;
  const int vectors = a.channels * a.vectors;
  const float* HWY_RESTRICT w = a.w;
  float* HWY_RESTRICT u = a.u;
  for (int i = 0; i < vectors; ++i, w += kTaps * kWidth, u += kWidth) {
    transform_square<WeightAxis>([=](int tap) HWY_ATTR { return load(w + tap * kWidth); },
                                 [=](int k, V value) HWY_ATTR { store(value, u + k * step); });
  }
}

template <int R, int W, bool kAdd>
HWY_INLINE void outer_tiles(const TileOuter& a, const float* HWY_RESTRICT v,
                            const float* HWY_RESTRICT d, float* HWY_RESTRICT acc_at, int tiles) {
  V acc[R][W];
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 16
    for (int w = 0; w < W; ++w) {
      acc[r][w] = kAdd ? load(acc_at + r * a.acc_row + w * kWidth) : hn::Zero(D());
    }
  }
  for (int t = 0; t < tiles; ++t, v += a.v_tile, d += a.d_tile) {
    V columns[W];
#pragma GCC unroll 16
    for (int w = 0; w < W; ++w) columns[w] = load(d + w * kWidth);
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r) {
      const V x = all(v[r]);
#pragma GCC unroll 16
      for (int w = 0; w < W; ++w) acc[r][w] = fma(x, columns[w], acc[r][w]);
    }
  }
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 16
    for (int w = 0; w < W; ++w) store(acc[r][w], acc_at + r * a.acc_row + w * kWidth);
  }
}

template <int W>
HWY_NOINLINE void tile_outer_of(const TileOuter& a) {
  constexpr int kRows = kWidth == 8 ? 4 : 8;
  constexpr int kPass = 128;  // tiles whose columns stay in L1 while the rows go by
  for (int k = 0; k < a.components; ++k) {
    for (int t = 0; t < a.tiles; t += kPass) {
      const int tiles = std::min(kPass, a.tiles - t);
      const float* d = a.d + k * a.d_component + t * a.d_tile;
      const float* v = a.v + k * a.v_component + t * a.v_tile;
      for (int r = 0; r < a.rows; r += kRows) {
        float* acc = a.acc + k * a.acc_component + r * a.acc_row;
        if (a.add || t > 0) {
          outer_tiles<kRows, W, true>(a, v + r, d, acc, tiles);
        } else {
          outer_tiles<kRows, W, false>(a, v + r, d, acc, tiles);
        }
      }
    }
  }
}

void tile_outer(const TileOuter& a) {
  if (a.vectors == 2) {
    tile_outer_of<2>(a);
  } else {
    tile_outer_of<1>(a);
  }
}

void transform_weight_gradient(const WeightGradient& a) {
  const int width = a.vectors * kWidth;
  for (int r = 0; r < a.rows; ++r) {
    for (int column = 0; column < width; column += kWidth) {
      const float* acc = a.acc + r * a.acc_row + column;
      float* dw = a.dw + static_cast<std::size_t>(r) * 9 * width + column;
      transform_square<WeightGradientAxis>(
          [&](int i) HWY_ATTR { return load(acc + (i % 6 * 6 + i / 6) * a.acc_component); },
          [&](int i, V value) HWY_ATTR { store(value, dw + i * width); });
    }
  }
}

}  // namespace ddpm::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // DDPM_ENGINE_CPU_WINOGRAD_INL_H_
