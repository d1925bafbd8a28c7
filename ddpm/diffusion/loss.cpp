#include "ddpm/diffusion/loss.h"

#include "ddpm/base/error.h"

namespace ddpm {

void make_target(const Schedule& schedule, int t, Prediction prediction, std::span<const float> x0,
                 std::span<const float> eps, std::span<float> target) {
  DDPM_CHECK(x0.size() == target.size() && eps.size() == target.size(), "{}, {}, {}", x0.size(),
             eps.size(), target.size());
  const Target to = target_of(schedule, t, prediction);
  for (std::size_t i = 0; i < target.size(); ++i) {
    target[i] = static_cast<float>(to.x0 * x0[i] + to.eps * eps[i]);
  }
}

double simple_loss(std::span<const float> target, std::span<const float> out, double scale,
                   std::span<float> d_out) {
  DDPM_CHECK(!out.empty() && target.size() == out.size() && d_out.size() == out.size(),
             "{}, {}, {}", target.size(), out.size(), d_out.size());
  const double n = static_cast<double>(out.size());
  const double slope = 2 / n * scale;
  double sum = 0;
  for (std::size_t i = 0; i < out.size(); ++i) {
    const double error = static_cast<double>(out[i]) - target[i];
    sum += error * error;
    d_out[i] = static_cast<float>(slope * error);
  }
  return sum / n;
}

}  // namespace ddpm
