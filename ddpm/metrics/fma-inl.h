// Included once an instruction set, after hwy/highway.h.
#if defined(DDPM_METRICS_FMA_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef DDPM_METRICS_FMA_INL
#undef DDPM_METRICS_FMA_INL
#else
#define DDPM_METRICS_FMA_INL
#endif

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
