#include "ddpm/metrics/vector_sums.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ddpm/metrics/vector_sums.cpp"
#include <hwy/foreach_target.h>
// After foreach_target.h:
#include <hwy/highway.h>

#include <algorithm>
#include <cmath>

#include "ddpm/base/fma-inl.h"

HWY_BEFORE_NAMESPACE();
namespace ddpm::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

constexpr int kSums = 8, kRows = 4;
using D = hn::CappedTag<double, kSums>;
using V = hn::Vec<D>;
constexpr int kWidth = static_cast<int>(hn::MaxLanes(D())), kVectors = kSums / kWidth;

HWY_INLINE V load(const double* p) { return hn::LoadU(D(), p); }

HWY_INLINE double tree(const V* sums) {
  double s[kSums];
#pragma GCC unroll 8
  for (int v = 0; v < kVectors; ++v) hn::StoreU(sums[v], D(), s + v * kWidth);
  return ((s[0] + s[4]) + (s[2] + s[6])) + ((s[1] + s[5]) + (s[3] + s[7]));
}

double dot_product(const double* a, const double* b, int n) {
  V sums[kVectors];
  std::fill_n(sums, kVectors, hn::Zero(D()));
  int i = 0;
  for (; i + kSums <= n; i += kSums) {
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) {
      sums[v] = fma(load(a + i + v * kWidth), load(b + i + v * kWidth), sums[v]);
    }
  }
  double sum = tree(sums);
  for (; i < n; ++i) sum = std::fma(a[i], b[i], sum);
  return sum;
}

void add_vector(double factor, const double* HWY_RESTRICT x, double* HWY_RESTRICT y, int n) {
  const V scale = hn::Set(D(), factor);
  int i = 0;
  for (; i + kWidth <= n; i += kWidth) hn::StoreU(fma(scale, load(x + i), load(y + i)), D(), y + i);
  for (; i < n; ++i) y[i] = std::fma(factor, x[i], y[i]);
}

// Columns [0, end), end a multiple of kSums, of kRows rows: what they add to y below `end`; their
// own sums.
HWY_INLINE void common_columns(const double* HWY_RESTRICT a, std::ptrdiff_t stride, int end,
                               const double* HWY_RESTRICT x, const double* of_row,
                               double* HWY_RESTRICT y, double* own) {
  V sums[kRows][kVectors], factors[kRows];
#pragma GCC unroll 4
  for (int r = 0; r < kRows; ++r) {
    factors[r] = hn::Set(D(), of_row[r]);
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) sums[r][v] = hn::Zero(D());
  }
  for (int j = 0; j < end; j += kSums) {
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) {
      const int at = j + v * kWidth;
      const V column = load(x + at);
      V sum = load(y + at);
#pragma GCC unroll 4
      for (int r = 0; r < kRows; ++r) {
        const V element = load(a + r * stride + at);
        sums[r][v] = fma(element, column, sums[r][v]);
        sum = fma(element, factors[r], sum);
      }
      hn::StoreU(sum, D(), y + at);
    }
  }
#pragma GCC unroll 4
  for (int r = 0; r < kRows; ++r) own[r] = tree(sums[r]);
}

void add_rows(const SymmetricRows& rows, const double* x, double* y) {
  for (int i = rows.first; i < rows.last; i += kRows) {
    const int here = std::min(kRows, rows.last - i);
    const int common = here == kRows ? i / kSums * kSums : 0;
    double own[kRows] = {};
    if (common > 0) {
      common_columns(rows.a + i * rows.stride, rows.stride, common, x, x + i, y, own);
    }
    for (int r = 0; r < here; ++r) {
      const double* row = rows.a + (i + r) * rows.stride;
      for (int j = common; j < i + r; ++j) {
        own[r] = std::fma(row[j], x[j], own[r]);
        y[j] = std::fma(row[j], x[i + r], y[j]);
      }
      y[i + r] += std::fma(row[i + r], x[i + r], own[r]);
    }
  }
}

}  // namespace ddpm::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ddpm {

HWY_EXPORT(dot_product);
HWY_EXPORT(add_vector);
HWY_EXPORT(add_rows);

double dot(const double* a, const double* b, int n) {
  return HWY_DYNAMIC_DISPATCH(dot_product)(a, b, n);
}

void add_scaled(double factor, const double* x, double* y, int n) {
  HWY_DYNAMIC_DISPATCH(add_vector)(factor, x, y, n);
}

void add_symmetric(const SymmetricRows& rows, const double* x, double* y) {
  HWY_DYNAMIC_DISPATCH(add_rows)(rows, x, y);
}

}  // namespace ddpm
#endif  // HWY_ONCE
