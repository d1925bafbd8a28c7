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

void silu(const float* x, float* y, std::size_t n) {
  for (std::size_t i = 0; i < n; i += kWidth) {
    const V v = load(x + i);
    store(hn::Mul(v, sigmoid(v)), y + i);
  }
}

// d/dx x s(x) = s + x s (1 - s).
void silu_dx(const float* x, const float* dy, float* dx, std::size_t n) {
  for (std::size_t i = 0; i < n; i += kWidth) {
    const V v = load(x + i);
    const V s = sigmoid(v);
    const V slope = fma(hn::Mul(v, s), hn::Sub(all(1), s), s);
    store(hn::Mul(load(dy + i), slope), dx + i);
  }
}

void add(const float* a, const float* b, float* y, std::size_t n) {
  for (std::size_t i = 0; i < n; i += kWidth) store(hn::Add(load(a + i), load(b + i)), y + i);
}

void scale(const float* x, float alpha, float* y, std::size_t n) {
  const V a = all(alpha);
  for (std::size_t i = 0; i < n; i += kWidth) store(hn::Mul(load(x + i), a), y + i);
}

void add_row(const float* x, const float* v, float* y, int pixels, int width) {
  for (int p = 0; p < pixels; ++p, x += width, y += width) {
    for (int c = 0; c < width; c += kWidth) store(hn::Add(load(x + c), load(v + c)), y + c);
  }
}

void affine(const float* x, const float* shift, const float* gain, const float* bias, float* y,
            int pixels, int width, int stride) {
  for (int c = 0; c < width; c += kWidth) {
    const V s = load(shift + c), g = load(gain + c), b = load(bias + c);
    for (int p = 0; p < pixels; ++p) {
      const std::size_t i = static_cast<std::size_t>(p) * stride + c;
      store(fma(hn::Sub(load(x + i), s), g, b), y + i);
    }
  }
}

void affine_dx(const float* x, const float* dy, const float* shift, const float* p, const float* q,
               const float* r, float* dx, int pixels, int width, int stride) {
  for (int c = 0; c < width; c += kWidth) {
    const V vs = load(shift + c), vp = load(p + c), vq = load(q + c), vr = load(r + c);
    for (int pixel = 0; pixel < pixels; ++pixel) {
      const std::size_t i = static_cast<std::size_t>(pixel) * stride + c;
      store(fma(load(dy + i), vp, fma(hn::Sub(load(x + i), vs), vq, vr)), dx + i);
    }
  }
}

constexpr int kSumBlock = 32;  // pixels added in float before the sum goes on in double

// sums[c] = sum over the pixels of term(offset of pixel and channel).
template <class Term>
HWY_INLINE void sum_terms(double* sums, int pixels, int width, int stride, const Term& term) {
  for (int c = 0; c < width; c += kWidth) {
    double total[kWidth] = {};
    for (int begin = 0; begin < pixels; begin += kSumBlock) {
      const int end = std::min(pixels, begin + kSumBlock);
      V sum = hn::Zero(D());
      for (int p = begin; p < end; ++p)
        sum = term(static_cast<std::size_t>(p) * stride + c, c, sum);
      HWY_ALIGN float block[kWidth];
      store(sum, block);
      for (int l = 0; l < kWidth; ++l) total[l] += static_cast<double>(block[l]);
    }
    for (int l = 0; l < kWidth; ++l) sums[c + l] = total[l];
  }
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

struct ProductTerm {
  const float* x;
  const float* dy;
  const float* shift;
  HWY_INLINE V operator()(std::size_t i, int c, V sum) const {
    return fma(load(dy + i), hn::Sub(load(x + i), load(shift + c)), sum);
  }
};

void sum(const float* x, double* sums, int pixels, int width, int stride) {
  sum_terms(sums, pixels, width, stride, SumTerm{x});
}

void sum_squares(const float* x, const float* shift, double* sums, int pixels, int width,
                 int stride) {
  sum_terms(sums, pixels, width, stride, SquareTerm{x, shift});
}

void sum_products(const float* x, const float* dy, const float* shift, double* sums, int pixels,
                  int width, int stride) {
  sum_terms(sums, pixels, width, stride, ProductTerm{x, dy, shift});
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

HWY_INLINE void add_to_lanes(V v, float* lanes) { store(hn::Add(load(lanes), v), lanes); }

void softmax(const float* x, float* y, int n, float* scratch) {
  const int whole = (n + kLanes - 1) / kLanes * kLanes;
  const float top = *std::max_element(x, x + n);
  for (int i = 0; i < n; ++i) scratch[i] = x[i] - top;
  HWY_ALIGN float lanes[kLanes] = {};
  for (int i = n; i < whole; ++i) scratch[i] = 0;
  for (int i = 0; i < whole; i += kWidth) store(exp(load(scratch + i)), scratch + i);
  for (int i = n; i < whole; ++i) scratch[i] = 0;
  for (int i = 0; i < whole; i += kWidth) add_to_lanes(load(scratch + i), lanes + i % kLanes);
  const float inverse = 1 / tree_sum(lanes);
  for (int i = 0; i < n; ++i) y[i] = scratch[i] * inverse;
}

// dx_i = p_i (dp_i - sum_j p_j dp_j).
void softmax_dx(const float* p, const float* dp, float* dx, int n) {
  HWY_ALIGN float lanes[kLanes] = {};
  int i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    for (int l = 0; l < kLanes; l += kWidth) {
      store(fma(load(p + i + l), load(dp + i + l), load(lanes + l)), lanes + l);
    }
  }
  for (int l = 0; i + l < n; ++l) lanes[l] = std::fma(p[i + l], dp[i + l], lanes[l]);
  const float dot = tree_sum(lanes);
  for (int j = 0; j < n; ++j) dx[j] = p[j] * (dp[j] - dot);
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
