#include "ddpm/engine/cpu/kernels.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ddpm/engine/cpu/kernels.cpp"
#include <hwy/foreach_target.h>
// After foreach_target.h:
#include "ddpm/engine/cpu/dropout-inl.h"
#include "ddpm/engine/cpu/elementwise-inl.h"
#include "ddpm/engine/cpu/gemm-inl.h"
#include "ddpm/engine/cpu/pool-inl.h"
#include "ddpm/engine/cpu/winograd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace ddpm::cpu::HWY_NAMESPACE {

constexpr const char* isa() {
  switch (HWY_TARGET) {
    case HWY_SCALAR:
      return "scalar";
    case HWY_AVX2:
      return "avx2";
    case HWY_AVX3:
      return "avx512";
    case HWY_NEON:
      return "neon";
    default:
      return "other";
  }
}

const Kernels* table() {
  static constexpr Kernels k = {
      .name = isa(),
      .vector = kWidth,
      .panel_product = panel_product,
      .outer_product = outer_product,
      .transform_input = transform_input,
      .transform_input_columns = transform_input_columns,
      .transform_gradient_columns = transform_gradient_columns,
      .transform_weight = transform_weight,
      .transform_output = transform_output,
      .transform_weight_gradient = transform_weight_gradient,
      .tile_product = tile_product,
      .tile_outer = tile_outer,
      .silu = silu,
      .silu_dx = silu_dx,
      .relu = relu,
      .add = add,
      .scale = scale,
      .add_row = add_row,
      .max_window = max_window,
      .mean_window = mean_window,
      .affine = affine,
      .affine_sums = affine_sums,
      .affine_dx = affine_dx,
      .sum = sum,
      .sum_squares = sum_squares,
      .softmax = softmax,
      .softmax_dx = softmax_dx,
      .philox = philox,
      .dropout = dropout,
      .adam = adam,
      .norm2 = norm2,
  };
  return &k;
}

}  // namespace ddpm::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ddpm::cpu {
namespace {

HWY_EXPORT(table);

const Kernels* choose(std::int64_t targets) {
  hwy::GetChosenTarget().Update(targets);
  return HWY_DYNAMIC_DISPATCH(table)();
}

const Kernels*& current() {
  static const Kernels* k = choose(hwy::SupportedTargets());
  return k;
}

std::int64_t targets_of(std::string_view name) {
  if (name.empty()) return hwy::SupportedTargets();
  if (name == "scalar") return HWY_SCALAR;
  if (name == "avx2") return HWY_AVX2 & hwy::SupportedTargets();
  if (name == "avx512") return HWY_AVX3 & hwy::SupportedTargets();
  if (name == "neon") return HWY_NEON & hwy::SupportedTargets();
  return 0;
}

}  // namespace

const Kernels& kernels() { return *current(); }

bool set_isa(std::string_view name) {
  const std::int64_t targets = targets_of(name);
  if (targets == 0) return false;
  current() = choose(targets);
  return true;
}

}  // namespace ddpm::cpu
#endif  // HWY_ONCE
