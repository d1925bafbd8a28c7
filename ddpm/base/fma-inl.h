// Included once for each instruction set (Highway's pattern).
#if defined(DDPM_BASE_FMA_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef DDPM_BASE_FMA_INL_H_
#undef DDPM_BASE_FMA_INL_H_
#else
#define DDPM_BASE_FMA_INL_H_
#endif

#include <hwy/highway.h>

#include <cmath>

HWY_BEFORE_NAMESPACE();
namespace ddpm::HWY_NAMESPACE {

// a * b + c with one rounding. Highway 1.0.3's own MulAdd rounds twice on SCALAR.
template <class V>
HWY_INLINE V fma(V a, V b, V c) {
#if HWY_TARGET == HWY_SCALAR
  return V(std::fma(a.raw, b.raw, c.raw));
#else
  return hwy::HWY_NAMESPACE::MulAdd(a, b, c);
#endif
}

}  // namespace ddpm::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
