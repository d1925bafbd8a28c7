// ReLU and pooling.
#if defined(DDPM_ENGINE_CPU_POOL_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef DDPM_ENGINE_CPU_POOL_INL_H_
#undef DDPM_ENGINE_CPU_POOL_INL_H_
#else
#define DDPM_ENGINE_CPU_POOL_INL_H_
#endif

#include "ddpm/engine/cpu/kernels.h"
#include "ddpm/engine/cpu/math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace ddpm::cpu::HWY_NAMESPACE {

void relu(const float* x, float* y, std::size_t n) {
  for (std::size_t i = 0; i < n; i += kWidth) store(hn::Max(load(x + i), hn::Zero(D())), y + i);
}

void max_window(const Window& a) {
  for (int c = 0; c < a.width; c += kWidth) {
    V top = load(a.pixels[0] + c);
    for (int t = 1; t < a.n; ++t) top = hn::Max(top, load(a.pixels[t] + c));
    store(top, a.y + c);
  }
}

void mean_window(const Window& a) {
  const V divisor = all(a.divisor);
  for (int c = 0; c < a.width; c += kWidth) {
    V sum = load(a.pixels[0] + c);
    for (int t = 1; t < a.n; ++t) sum = hn::Add(sum, load(a.pixels[t] + c));
    store(hn::Div(sum, divisor), a.y + c);
  }
}

}  // namespace ddpm::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // DDPM_ENGINE_CPU_POOL_INL_H_
