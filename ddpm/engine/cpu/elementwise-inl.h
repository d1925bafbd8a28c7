// Element-wise kernels, sums over pixels, softmax and the optimiser.
#if defined(DDPM_ENGINE_CPU_ELEMENTWISE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef DDPM_ENGINE_CPU_ELEMENTWISE_INL_H_
#undef DDPM_ENGINE_CPU_ELEMENTWISE_INL_H_
#else
#define DDPM_ENGINE_CPU_ELEMENTWISE_INL_H_
#endif

#include <algorithm>
#include <limits>

#include "ddpm/engine/cpu/kernels.h"
#include "ddpm/engine/cpu/math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace ddpm::cpu::HWY_NAMESPACE {

HWY_INLINE V silu_of(V x) { return hn::Mul(x, sigmoid(x)); }

// d/dx x s(x) = s + x s (1 - s).
HWY_INLINE V silu_slope(V x) {
  const V s = sigmoid(x);
  return fma(hn::Mul(x, s), hn::Sub(all(1), s), s);
}

void silu(const float* x, float* y, std::size_t n) {
  for (std::size_t i = 0; i < n; i += kWidth) store(silu_of(load(x + i)), y + i);
}

void silu_dx(const float* x, const float* dy, float* dx, std::size_t n) {
  for (std::size_t i = 0; i < n; i += kWidth) {
    store(hn::Mul(load(dy + i), silu_slope(load(x + i))), dx + i);
  }
}

void add(const float* a, const float* b, float* y, std::size_t n) {
  for (std::size_t i = 0; i < n; i += kWidth) store(hn::Add(load(a + i), load(b + i)), y + i);
}

void scale(const float* x, float alpha, float* y, std::size_t n) {
  const V a = all(alpha);
  for (std::size_t i = 0; i < n; i += kWidth) store(hn::Mul(load(x + i), a), y + i);
}

void add_row(const float* x, std::size_t x_stride, const float* v, float* y, std::size_t y_stride,
             int pixels, int width) {
  for (int p = 0; p < pixels; ++p, x += x_stride, y += y_stride) {
    for (int c = 0; c < width; c += kWidth) store(hn::Add(load(x + c), load(v + c)), y + c);
  }
}

// Two vectors of channels at a time, one where there is no second: the coefficients stay in
// registers, a cache line is read whole, and the chains of two values hide each other's latency.
template <class Body1, class Body2>
HWY_INLINE void by_vectors(int width, const Body1& one, const Body2& two) {
  int c = 0;
  for (; c + 2 * kWidth <= width; c += 2 * kWidth) two(c);
  if (c < width) one(c);
}

template <int W, bool kSilu>
HWY_INLINE void affine_columns(const Affine& a, int c) {
  V shift[W], gain[W], bias[W];
#pragma GCC unroll 4
  for (int v = 0; v < W; ++v) {
    shift[v] = load(a.shift + c + v * kWidth);
    gain[v] = load(a.gain + c + v * kWidth);
    bias[v] = load(a.bias + c + v * kWidth);
  }
  const float* x = a.x + c;
  float* y = a.y + c;
  for (int p = 0; p < a.pixels; ++p, x += a.x_stride, y += a.y_stride) {
#pragma GCC unroll 4
    for (int v = 0; v < W; ++v) {
      const V t = fma(hn::Sub(load(x + v * kWidth), shift[v]), gain[v], bias[v]);
      store(kSilu ? silu_of(t) : t, y + v * kWidth);
    }
  }
}

template <bool kSilu>
HWY_INLINE void affine_as(const Affine& a) {
  by_vectors(
      a.width, [&](int c) HWY_ATTR { affine_columns<1, kSilu>(a, c); },
      [&](int c) HWY_ATTR { affine_columns<2, kSilu>(a, c); });
}

void affine(const Affine& a) {
  if (a.silu) {
    affine_as<true>(a);
  } else {
    affine_as<false>(a);
  }
}

template <int W, bool kResidual>
HWY_INLINE void affine_dx_columns(const AffineDx& a, int c) {
  V shift[W], gain[W], slope[W], bias[W];
#pragma GCC unroll 4
  for (int v = 0; v < W; ++v) {
    shift[v] = load(a.shift + c + v * kWidth);
    gain[v] = load(a.p + c + v * kWidth);
    slope[v] = load(a.q + c + v * kWidth);
    bias[v] = load(a.r + c + v * kWidth);
  }
  const float* x = a.x + c;
  const float* d = a.d + c;
  const float* residual = kResidual ? a.residual + c : nullptr;
  float* dx = a.dx + c;
  for (int p = 0; p < a.pixels; ++p) {
#pragma GCC unroll 4
    for (int v = 0; v < W; ++v) {
      const int i = v * kWidth;
      const V t = fma(load(d + i), gain[v], fma(hn::Sub(load(x + i), shift[v]), slope[v], bias[v]));
      store(kResidual ? hn::Add(t, load(residual + i)) : t, dx + i);
    }
    x += a.x_stride;
    d += a.d_stride;
    dx += a.dx_stride;
    if constexpr (kResidual) residual += a.residual_stride;
  }
}

template <bool kResidual>
HWY_INLINE void affine_dx_as(const AffineDx& a) {
  by_vectors(
      a.width, [&](int c) HWY_ATTR { affine_dx_columns<1, kResidual>(a, c); },
      [&](int c) HWY_ATTR { affine_dx_columns<2, kResidual>(a, c); });
}

void affine_dx(const AffineDx& a) {
  if (a.residual) {
    affine_dx_as<true>(a);
  } else {
    affine_dx_as<false>(a);
  }
}

constexpr int kSumBlock = 32;  // pixels added in float before the sum goes on in double

// total[l] += lane l of the block's sum.
HWY_INLINE void add_lanes(V sum, double* total) {
  HWY_ALIGN float block[kWidth];
  store(sum, block);
  for (int l = 0; l < kWidth; ++l) total[l] += static_cast<double>(block[l]);
}

// sums[c] = sum over the pixels of term(offset of pixel and channel), W vectors of channels at a
// time: W chains hide each other's latency.
template <int W, class Term>
HWY_INLINE void sum_columns(double* sums, int c, int pixels, int stride, const Term& term) {
  double total[W * kWidth] = {};
  for (int begin = 0; begin < pixels; begin += kSumBlock) {
    const int end = std::min(pixels, begin + kSumBlock);
    V sum[W];
#pragma GCC unroll 4
    for (int v = 0; v < W; ++v) sum[v] = hn::Zero(D());
    for (int p = begin; p < end; ++p) {
      const std::size_t i = static_cast<std::size_t>(p) * stride + c;
#pragma GCC unroll 4
      for (int v = 0; v < W; ++v) {
        sum[v] = term(i + v * kWidth, c + v * kWidth, sum[v]);
      }
    }
#pragma GCC unroll 4
    for (int v = 0; v < W; ++v) add_lanes(sum[v], total + v * kWidth);
  }
  std::copy_n(total, W * kWidth, sums + c);
}

template <class Term>
HWY_INLINE void sum_terms(double* sums, int pixels, int width, int stride, const Term& term) {
  int c = 0;
  for (; c + 4 * kWidth <= width; c += 4 * kWidth) sum_columns<4>(sums, c, pixels, stride, term);
  for (; c + 2 * kWidth <= width; c += 2 * kWidth) sum_columns<2>(sums, c, pixels, stride, term);
  for (; c < width; c += kWidth) sum_columns<1>(sums, c, pixels, stride, term);
}

struct SumTerm {
  const float* x;
  HWY_INLINE V operator()(std::size_t i, int, V sum) const { return hn::Add(sum, load(x + i)); }
};

struct SquareTerm {
  const float* x;
  const float* shift;
  HWY_INLINE V operator()(std::size_t i, int c, V sum) const {
    const V d = hn::Sub(load(x + i), load(shift + c));
    return fma(d, d, sum);
  }
};

void sum(const float* x, double* sums, int pixels, int width, int stride) {
  sum_terms(sums, pixels, width, stride, SumTerm{x});
}

void sum_squares(const float* x, const float* shift, double* sums, int pixels, int width,
                 int stride) {
  sum_terms(sums, pixels, width, stride, SquareTerm{x, shift});
}

// Both sums, in the blocks of sum_terms().
template <int W, bool kSilu>
HWY_INLINE void affine_sums_columns(const AffineSums& a, int c) {
  V shift[W], gain[W], bias[W];
#pragma GCC unroll 4
  for (int v = 0; v < W; ++v) {
    shift[v] = load(a.shift + c + v * kWidth);
    gain[v] = kSilu ? load(a.gain + c + v * kWidth) : shift[v];
    bias[v] = kSilu ? load(a.bias + c + v * kWidth) : shift[v];
  }
  const float* x = a.x + c;
  const float* dy = a.dy + c;
  float* to = kSilu ? a.d + c : nullptr;
  double total[W * kWidth] = {}, total_products[W * kWidth] = {};
  for (int begin = 0; begin < a.pixels; begin += kSumBlock) {
    const int end = std::min(a.pixels, begin + kSumBlock);
    V sum[W], products[W];
#pragma GCC unroll 4
    for (int v = 0; v < W; ++v) sum[v] = products[v] = hn::Zero(D());
    for (int p = begin; p < end; ++p, x += a.x_stride, dy += a.dy_stride) {
#pragma GCC unroll 4
      for (int v = 0; v < W; ++v) {
        const V distance = hn::Sub(load(x + v * kWidth), shift[v]);
        V d = load(dy + v * kWidth);
        if constexpr (kSilu) {
          d = hn::Mul(d, silu_slope(fma(distance, gain[v], bias[v])));
          store(d, to + v * kWidth);
        }
        sum[v] = hn::Add(sum[v], d);
        products[v] = fma(d, distance, products[v]);
      }
      if constexpr (kSilu) to += a.d_stride;
    }
#pragma GCC unroll 4
    for (int v = 0; v < W; ++v) {
      add_lanes(sum[v], total + v * kWidth);
      add_lanes(products[v], total_products + v * kWidth);
    }
  }
  std::copy_n(total, W * kWidth, a.sums + c);
  std::copy_n(total_products, W * kWidth, a.products + c);
}

template <bool kSilu>
HWY_INLINE void affine_sums_as(const AffineSums& a) {
  by_vectors(
      a.width, [&](int c) HWY_ATTR { affine_sums_columns<1, kSilu>(a, c); },
      [&](int c) HWY_ATTR { affine_sums_columns<2, kSilu>(a, c); });
}

void affine_sums(const AffineSums& a) {
  if (a.silu) {
    affine_sums_as<true>(a);
  } else {
    affine_sums_as<false>(a);
  }
}

// Adds 16 lanes by a fixed tree.
HWY_INLINE float tree_sum(const float* lanes) {
  float t[kLanes];
  std::copy(lanes, lanes + kLanes, t);
  for (int half = kLanes / 2; half >= 1; half /= 2) {
    for (int l = 0; l < half; ++l) t[l] += t[l + half];
  }
  return t[0];
}

// The 16 partial sums of a row, in registers.
struct LaneSums {
  static constexpr int kVectors = kLanes / kWidth;
  V sums[kVectors];

  HWY_INLINE LaneSums() {
    for (V& sum : sums) sum = hn::Zero(D());
  }
  // Calls add(i, the sum of lanes [i, i + kWidth) modulo 16) for i = 0, kWidth, ... below n, a
  // multiple of 16.
  template <class Add>
  HWY_INLINE void over(int n, const Add& add) {
    for (int i = 0; i < n; i += kLanes) {
#pragma GCC unroll 16
      for (int v = 0; v < kVectors; ++v) sums[v] = add(i + v * kWidth, sums[v]);
    }
  }
  HWY_INLINE void write(float* lanes) const {
    for (int v = 0; v < kVectors; ++v) store(sums[v], lanes + v * kWidth);
  }
};

HWY_INLINE float largest(const float* x, int n) {
  float top = x[0];
  int i = 0;
  if (n >= kWidth) {
    V tops = load(x);
    for (; i + kWidth <= n; i += kWidth) tops = hn::Max(tops, load(x + i));
    HWY_ALIGN float lanes[kWidth];
    store(tops, lanes);
    for (const float lane : lanes) top = std::max(top, lane);
  }
  for (; i < n; ++i) top = std::max(top, x[i]);
  return top;
}

void softmax(const float* x, float* y, int n, float* scratch) {
  const int padded_n = padded(n), vectors = n / kWidth * kWidth;
  const float top = largest(x, n);
  for (int i = 0; i < vectors; i += kWidth) {
    store(exp(hn::Sub(load(x + i), all(top))), scratch + i);
  }
  if (vectors < n) {
    HWY_ALIGN float rest[kWidth] = {};
    for (int i = vectors; i < n; ++i) rest[i - vectors] = x[i] - top;
    store(exp(load(rest)), rest);
    std::copy(rest, rest + (n - vectors), scratch + vectors);
  }
  std::fill(scratch + n, scratch + padded_n, 0.0f);
  LaneSums sums;
  sums.over(padded_n, [&](int i, V sum) HWY_ATTR { return hn::Add(sum, load(scratch + i)); });
  HWY_ALIGN float lanes[kLanes];
  sums.write(lanes);
  const float inverse = 1 / tree_sum(lanes);
  for (int i = 0; i < vectors; i += kWidth) {
    store(hn::Mul(load(scratch + i), all(inverse)), y + i);
  }
  for (int i = vectors; i < n; ++i) y[i] = scratch[i] * inverse;
}

// dx_i = p_i (dp_i - sum_j p_j dp_j).
void softmax_dx(const float* p, const float* dp, float* dx, int n) {
  const int whole = n / kLanes * kLanes;
  LaneSums sums;
  sums.over(whole, [&](int i, V sum) HWY_ATTR { return fma(load(p + i), load(dp + i), sum); });
  HWY_ALIGN float lanes[kLanes];
  sums.write(lanes);
  for (int i = whole; i < n; ++i) lanes[i - whole] = std::fma(p[i], dp[i], lanes[i - whole]);
  const float dot = tree_sum(lanes);
  int i = 0;
  for (; i + kWidth <= n; i += kWidth) {
    store(hn::Mul(load(p + i), hn::Sub(load(dp + i), all(dot))), dx + i);
  }
  for (; i < n; ++i) dx[i] = p[i] * (dp[i] - dot);
}

// Kingma & Ba 2015 in torch's form: w -= rate m / (sqrt(v) / root_correction + epsilon); then the
// EMA.
template <class Vec, class Load, class Store, class Set>
HWY_INLINE void adam_step(const Adam& a, std::size_t i, Load get, Store put, Set set) {
  const Vec one = set(1.0f);
  const Vec g = hn::Mul(get(a.g + i), set(a.clip));
  const Vec m =
      hn::Add(hn::Mul(get(a.m + i), set(a.beta1)), hn::Mul(g, hn::Sub(one, set(a.beta1))));
  const Vec v = hn::Add(hn::Mul(get(a.v + i), set(a.beta2)),
                        hn::Mul(hn::Mul(g, g), hn::Sub(one, set(a.beta2))));
  const Vec root = hn::Add(hn::Div(hn::Sqrt(v), set(a.root_correction)), set(a.epsilon));
  const Vec w = hn::Sub(get(a.w + i), hn::Div(hn::Mul(set(a.rate), m), root));
  const Vec e = get(a.ema + i);
  put(m, a.m + i);
  put(v, a.v + i);
  put(w, a.w + i);
  put(hn::Add(e, hn::Mul(hn::Sub(w, e), hn::Sub(one, set(a.ema_decay)))), a.ema + i);
}

void adam(const Adam& a) {
  std::size_t i = 0;
  for (; i + kWidth <= a.n; i += kWidth) {
    adam_step<V>(
        a, i, [](const float* p) HWY_ATTR { return load(p); },
        [](V v, float* p) HWY_ATTR { store(v, p); }, [](float x) HWY_ATTR { return all(x); });
  }
  using D1 = hn::CappedTag<float, 1>;
  for (; i < a.n; ++i) {
    adam_step<hn::Vec<D1>>(
        a, i, [](const float* p) HWY_ATTR { return hn::LoadU(D1(), p); },
        [](hn::Vec<D1> v, float* p) HWY_ATTR { hn::StoreU(v, D1(), p); },
        [](float x) HWY_ATTR { return hn::Set(D1(), x); });
  }
}

double norm2(const float* x, std::size_t n) {
  double lanes[kLanes] = {};
  for (std::size_t i = 0; i < n; ++i) lanes[i % kLanes] += static_cast<double>(x[i]) * x[i];
  for (int half = kLanes / 2; half >= 1; half /= 2) {
    for (int l = 0; l < half; ++l) lanes[l] += lanes[l + half];
  }
  return lanes[0];
}

}  // namespace ddpm::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // DDPM_ENGINE_CPU_ELEMENTWISE_INL_H_
