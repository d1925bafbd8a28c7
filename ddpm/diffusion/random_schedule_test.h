// Random schedules for properties.
#pragma once

#include <rapidcheck.h>

#include "ddpm/diffusion/schedule.h"

namespace ddpm {

inline double any_in(double low, double high) {
  return low + (high - low) * (*rc::gen::inRange(0, 1'000'001) / 1e6);
}

/// A schedule of each kind, T in 1..1199. The sum of betas stays below 120, so alpha_bar above
/// 1e-60.
inline Schedule any_schedule() {
  const int T = *rc::gen::inRange(1, 1200);
  switch (*rc::gen::inRange(0, 6)) {
    case 0: {
      const double beta_1 = any_in(1e-7, 0.05);
      return Schedule::linear(T, beta_1, any_in(beta_1, 0.1));
    }
    case 1:
      return Schedule::cosine(T, any_in(0, 0.1), any_in(0.5, 0.9999));
    case 2: {
      const double beta_1 = any_in(1e-7, 0.05);
      return Schedule::quadratic(T, beta_1, any_in(beta_1, 0.1));
    }
    case 3: {
      const double beta_1 = any_in(1e-7, 0.05);
      return Schedule::sigmoid(T, beta_1, any_in(beta_1, 0.1));
    }
    case 4: {
      const double beta_1 = any_in(1e-7, 0.05);
      return Schedule::warmup(T, *rc::gen::element(0.1, 0.5), beta_1, any_in(beta_1, 0.1));
    }
    default:
      return Schedule::constant(T, any_in(1e-7, 0.1));
  }
}

inline int any_time(const Schedule& schedule) { return *rc::gen::inRange(1, schedule.T() + 1); }

}  // namespace ddpm
