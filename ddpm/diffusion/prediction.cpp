#include "ddpm/diffusion/prediction.h"

#include <cmath>
#include <iterator>

#include "ddpm/base/error.h"
#include "ddpm/diffusion/names.h"

namespace ddpm {
namespace {

constexpr std::string_view kPredictions[] = {"eps", "x0", "v", "mu", "score"};
constexpr std::string_view kVariances[] = {"fixed_small", "fixed_large", "learned", "learned_range",
                                           "optimal"};

// x_t = signal x0 + noise eps, Eq. (4).
struct Mix {
  double signal, noise;
};

Mix mix(const Schedule& schedule, int t) {
  DDPM_CHECK(1 <= t && t <= schedule.T(), "t = {}, T = {}", t, schedule.T());
  return {std::sqrt(schedule.alpha_bar(t)), std::sqrt(schedule.one_minus_alpha_bar(t))};
}

// Where alpha_bar is 0, x_t is eps alone: an output that tells eps (or the score) tells nothing of
// x0.
void check_signal(double signal, int t, Prediction prediction) {
  if (signal > 0) return;
  throw Error(
      "[diffusion] x0 from {}: got alpha_bar = 0 at t = {} (zero terminal SNR), expected alpha_bar "
      "> "
      "0; try prediction v or x0, or times below {}",
      to_string(prediction), t, t);
}

}  // namespace

Linear x0_from(const Schedule& schedule, int t, Prediction prediction) {
  const auto [signal, noise] = mix(schedule, t);
  switch (prediction) {
    case Prediction::eps:
      check_signal(signal, t, prediction);
      return {1 / signal, -noise / signal};  // Eq. (15)
    case Prediction::x0:
      return {0, 1};
    case Prediction::v:
      return {signal, -noise};
    case Prediction::mu: {  // mu = c_x0 x0 + c_xt x_t, Eq. (7)
      const Posterior q = schedule.posterior(t);
      return {-q.c_xt / q.c_x0, 1 / q.c_x0};
    }
    case Prediction::score:  // eps = -noise score
      check_signal(signal, t, prediction);
      return {1 / signal, schedule.one_minus_alpha_bar(t) / signal};
  }
  throw BugError("[diffusion] x0_from: unknown prediction");
}

Linear eps_from(const Schedule& schedule, int t, Prediction prediction) {
  const auto [signal, noise] = mix(schedule, t);
  switch (prediction) {
    case Prediction::eps:
      return {0, 1};
    case Prediction::v:
      return {noise, signal};
    case Prediction::score:
      return {0, -noise};
    case Prediction::x0:
    case Prediction::mu: {  // eps = (x_t - signal x0) / noise, Eq. (4)
      const Linear x0 = x0_from(schedule, t, prediction);
      return {(1 - signal * x0.x) / noise, -signal * x0.out / noise};
    }
  }
  throw BugError("[diffusion] eps_from: unknown prediction");
}

Target target_of(const Schedule& schedule, int t, Prediction prediction) {
  const auto [signal, noise] = mix(schedule, t);
  switch (prediction) {
    case Prediction::eps:
      return {0, 1};
    case Prediction::x0:
      return {1, 0};
    case Prediction::v:
      return {-noise, signal};
    case Prediction::mu:
      // c_x0 + c_xt signal = sqrt(alpha_bar_{t-1}), for both times x0 are E[x_{t-1} | x0].
      return {std::sqrt(schedule.alpha_bar(t - 1)), schedule.posterior(t).c_xt * noise};
    case Prediction::score:
      return {0, -1 / noise};
  }
  throw BugError("[diffusion] target_of: unknown prediction");
}

Prediction parse_prediction(std::string_view name) {
  return static_cast<Prediction>(choose_name("[diffusion] prediction", name, kPredictions));
}

std::string_view to_string(Prediction prediction) {
  const auto index = static_cast<std::size_t>(prediction);
  DDPM_CHECK(index < std::size(kPredictions), "prediction {}", index);
  return kPredictions[index];
}

Variance parse_variance(std::string_view name) {
  return static_cast<Variance>(choose_name("[diffusion] variance", name, kVariances));
}

std::string_view to_string(Variance variance) {
  const auto index = static_cast<std::size_t>(variance);
  DDPM_CHECK(index < std::size(kVariances), "variance {}", index);
  return kVariances[index];
}

}  // namespace ddpm
