#include "ddpm/diffusion/forward.h"

#include <cmath>

#include "ddpm/base/error.h"

namespace ddpm {
namespace {

// out = a x + b y, in double, rounded once. out may be x or y: element i is read before it is
// written.
void combine(double a, std::span<const float> x, double b, std::span<const float> y,
             std::span<float> out) {
  DDPM_CHECK(x.size() == out.size() && y.size() == out.size(), "{}, {}, {}", x.size(), y.size(),
             out.size());
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = static_cast<float>(a * x[i] + b * y[i]);
}

}  // namespace

void q_sample(const Schedule& schedule, int t, std::span<const float> x0,
              std::span<const float> eps, std::span<float> x_t) {
  combine(std::sqrt(schedule.alpha_bar(t)), x0, std::sqrt(schedule.one_minus_alpha_bar(t)), eps,
          x_t);
}

void q_step(const Schedule& schedule, int t, std::span<const float> x_previous,
            std::span<const float> z, std::span<float> x_t) {
  combine(std::sqrt(schedule.alpha(t)), x_previous, std::sqrt(schedule.beta(t)), z, x_t);
}

}  // namespace ddpm
