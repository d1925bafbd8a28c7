#include "ddpm/diffusion/prediction.h"

#include <cmath>

#include "ddpm/base/error.h"
#include "ddpm/diffusion/names.h"

namespace ddpm {
namespace {

constexpr std::string_view kPredictions[] = {"eps", "x0", "v", "mu", "score"};

Mix mix_at(const Schedule& schedule, int t) {
  DDPM_CHECK(1 <= t && t <= schedule.T(), "t = {}, T = {}", t, schedule.T());
  const double variance = schedule.one_minus_alpha_bar(t);
  return {static_cast<double>(t), std::sqrt(schedule.alpha_bar(t)), std::sqrt(variance), variance};
}

Mix mix_at(const Schedule& schedule, int t, Prediction prediction) {
  Mix mix = mix_at(schedule, t);
  if (prediction == Prediction::mu) mix.down = schedule.posterior(t);
  return mix;
}

// Where alpha_bar is 0, x_t is eps alone: an output that tells eps (or the score) tells nothing of
// x0.
void check_signal(const Mix& mix, Prediction prediction) {
  if (mix.signal > 0) return;
  throw Error(
      "[diffusion] x0 from {}: got alpha_bar = 0 at t = {} (zero terminal SNR), expected more; try "
      "prediction v or x0, or a spacing that leaves this time out",
      to_string(prediction), mix.t);
}

}  // namespace

Linear x0_from(const Mix& mix, Prediction prediction) {
  switch (prediction) {
    case Prediction::eps:
      check_signal(mix, prediction);
      return {1 / mix.signal, -mix.noise / mix.signal};  // Eq. (15)
    case Prediction::x0:
      return {0, 1};
    case Prediction::v:
      return {mix.signal, -mix.noise};
    case Prediction::mu:  // mu = c_x0 x0 + c_xt x_t, Eq. (7)
      return {-mix.down.c_xt / mix.down.c_x0, 1 / mix.down.c_x0};
    case Prediction::score:  // eps = -noise score
      check_signal(mix, prediction);
      return {1 / mix.signal, mix.variance / mix.signal};
  }
  throw BugError("[diffusion] x0_from: unknown prediction");
}

Linear eps_from(const Mix& mix, Prediction prediction) {
  switch (prediction) {
    case Prediction::eps:
      return {0, 1};
    case Prediction::v:
      return {mix.noise, mix.signal};
    case Prediction::score:
      return {0, -mix.noise};
    case Prediction::x0:
    case Prediction::mu: {  // eps = (x_t - signal x0) / noise, Eq. (4)
      const Linear x0 = x0_from(mix, prediction);
      return {(1 - mix.signal * x0.x) / mix.noise, -mix.signal * x0.out / mix.noise};
    }
  }
  throw BugError("[diffusion] eps_from: unknown prediction");
}

Linear x0_from(const Schedule& schedule, int t, Prediction prediction) {
  return x0_from(mix_at(schedule, t, prediction), prediction);
}

Linear eps_from(const Schedule& schedule, int t, Prediction prediction) {
  return eps_from(mix_at(schedule, t, prediction), prediction);
}

Target target_of(const Schedule& schedule, int t, Prediction prediction) {
  const Mix mix = mix_at(schedule, t);
  switch (prediction) {
    case Prediction::eps:
      return {0, 1};
    case Prediction::x0:
      return {1, 0};
    case Prediction::v:
      return {-mix.noise, mix.signal};
    case Prediction::mu:
      // c_x0 + c_xt signal = sqrt(alpha_bar_{t-1}), for both times x0 are E[x_{t-1} | x0].
      return {std::sqrt(schedule.alpha_bar(t - 1)), schedule.posterior(t).c_xt * mix.noise};
    case Prediction::score:
      return {0, -1 / mix.noise};
  }
  throw BugError("[diffusion] target_of: unknown prediction");
}

Prediction parse_prediction(std::string_view name) {
  return static_cast<Prediction>(choose_name("[diffusion] prediction", name, kPredictions));
}

std::string_view to_string(Prediction prediction) { return name_at(kPredictions, prediction); }

Variance parse_variance(std::string_view name) {
  return static_cast<Variance>(choose_name("[diffusion] variance", name, kVarianceNames));
}

std::string_view to_string(Variance variance) { return name_at(kVarianceNames, variance); }

}  // namespace ddpm
