// Vector helpers. Included once for each instruction set: no include guard by #pragma once
// (Highway's pattern).
#if defined(DDPM_ENGINE_CPU_MATH_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef DDPM_ENGINE_CPU_MATH_INL_H_
#undef DDPM_ENGINE_CPU_MATH_INL_H_
#else
#define DDPM_ENGINE_CPU_MATH_INL_H_
#endif

#include <hwy/highway.h>

#include "ddpm/base/fma-inl.h"

HWY_BEFORE_NAMESPACE();
namespace ddpm::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using D = hn::CappedTag<float, 16>;
using V = hn::Vec<D>;
using DI = hn::RebindToSigned<D>;
constexpr int kWidth = static_cast<int>(hn::MaxLanes(D()));

HWY_INLINE V load(const float* p) { return hn::LoadU(D(), p); }
HWY_INLINE void store(V v, float* p) { hn::StoreU(v, D(), p); }
HWY_INLINE V all(float x) { return hn::Set(D(), x); }

using ddpm::HWY_NAMESPACE::fma;

// e^x, relative error below 2e-7; x is clamped to [-87, 88], so never 0, infinite or subnormal.
HWY_INLINE V exp(V x) {
  const V lowest = all(-87.0f), highest = all(88.0f);
  x = hn::Min(hn::Max(x, lowest), highest);
  // Adding 1.5 * 2^23 rounds to an integer, the same way everywhere.
  const V magic = all(12582912.0f);
  const V shifted = fma(x, all(1.44269504f), magic);
  const V k = hn::Sub(shifted, magic);
  const V r = fma(k, all(2.12194440e-4f), fma(k, all(-0.693359375f), x));
  V series = all(1.0f / 5040);
  for (const float c : {1.0f / 720, 1.0f / 120, 1.0f / 24, 1.0f / 6, 0.5f, 1.0f, 1.0f}) {
    series = fma(series, r, all(c));
  }
  const auto bits = hn::BitCast(DI(), shifted);  // k sits in the low bits of `shifted`
  const auto power = hn::ShiftLeft<23>(hn::Add(bits, hn::Set(DI(), 127)));
  return hn::Mul(series, hn::BitCast(D(), power));
}

// 1 / (1 + e^-x).
HWY_INLINE V sigmoid(V x) { return hn::Div(all(1), hn::Add(all(1), exp(hn::Neg(x)))); }

}  // namespace ddpm::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // DDPM_ENGINE_CPU_MATH_INL_H_
