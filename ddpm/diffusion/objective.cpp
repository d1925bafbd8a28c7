#include "ddpm/diffusion/objective.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "ddpm/base/error.h"
#include "ddpm/base/exact.h"
#include "ddpm/diffusion/time_line.h"

namespace ddpm {
namespace {

// Weight of the error of eps, |eps - eps_hat|^2, that a weight of the error of x0 or of the bound
// means: |x0 - x0_hat|^2 SNR = |eps - eps_hat|^2.
double eps_weight(const LossConfig& config, double snr) {
  if (config.kind == Loss::p2) return 1 / exact::pow(config.p2_k + snr, config.p2_gamma);
  return snr > config.min_snr_gamma ? config.min_snr_gamma / snr : 1;
}

// Of the bound in continuous time. Where alpha_bar(T) is 0 the slope is infinite: the line ends
// before it.
std::vector<double> vdm_weights(const Schedule& schedule) {
  const TimeLine line(schedule);
  std::vector<double> weights;
  for (int t = 1; t <= schedule.T(); ++t) {
    const double slope = line.log_snr_slope(std::min<double>(t, line.end()));
    weights.push_back(-0.5 * schedule.T() * slope / exact::kLn2);
  }
  return weights;
}

// What multiplies mean (target - out)^2, for t = 1..T.
std::vector<double> weights_of(const Schedule& schedule, Prediction prediction,
                               const LossConfig& config) {
  const int T = schedule.T();
  if (config.kind == Loss::kl || config.kind == Loss::rescaled_kl) return std::vector<double>(T);
  if (config.kind == Loss::simple || config.kind == Loss::hybrid) return std::vector<double>(T, 1);
  std::vector<double> weights =
      config.kind == Loss::vdm ? vdm_weights(schedule) : std::vector<double>(T);
  for (int t = 1; t <= T; ++t) {
    const double by_out = eps_from(schedule, t, prediction).out;  // error of eps per error of out
    if (config.kind != Loss::vdm) weights[t - 1] = eps_weight(config, schedule.snr(t));
    weights[t - 1] *= by_out * by_out;
  }
  return weights;
}

void check_numbers(const LossConfig& c) {
  if (c.weight >= 0 && c.min_snr_gamma > 0 && c.p2_k > 0 && c.p2_gamma >= 0) return;
  throw Error(
      "[diffusion] loss: got {}, expected weight >= 0, gamma > 0 for min_snr, k > 0 and gamma >= 0 "
      "for p2; try min_snr,gamma=5",
      to_string(c));
}

}  // namespace

bool has_bound(Loss kind) {
  return kind == Loss::kl || kind == Loss::rescaled_kl || kind == Loss::hybrid;
}

Objective::Objective(const Schedule& schedule, Prediction prediction, Variance variance,
                     const LossConfig& config, std::vector<double> optimal)
    : schedule_(schedule),
      prediction_(prediction),
      variance_(variance),
      config_(config),
      optimal_(std::move(optimal)) {
  check_numbers(config);
  weight_ = weights_of(schedule, prediction, config);
  const bool learned = is_learned(variance);
  if (learned && !has_bound(config.kind)) {
    throw Error(
        "[diffusion] loss: got {} with variance {}, expected a loss that trains the variance; try "
        "hybrid",
        to_string(config), to_string(variance));
  }
  frozen_mean_ = config.kind == Loss::hybrid;
  if (config.kind == Loss::kl) bound_weight_ = 1;
  if (config.kind == Loss::rescaled_kl) bound_weight_ = schedule.T();
  if (frozen_mean_ && learned) bound_weight_ = config.weight * schedule.T();
  if (bound_weight_ > 0) {  // what it refuses, it refuses now
    const ReverseStep last(schedule_, schedule_.T(), model());
  }
}

ReverseModel Objective::model() const {
  return {.prediction = prediction_,
          .variance = variance_,
          .optimal = optimal_,
          .decoder = config_.decoder};
}

double Objective::weight(int t) const {
  DDPM_CHECK(1 <= t && t <= schedule_.T(), "t = {}", t);
  return weight_[t - 1];
}

template <class Real>
double Objective::operator()(int t, std::span<const Real> x0, std::span<const Real> eps,
                             std::span<const Real> out, double scale, std::span<Real> d_out) const {
  const std::size_t n = x0.size();
  const bool learned = is_learned(variance_);
  DDPM_CHECK(
      n > 0 && eps.size() == n && out.size() == (learned ? 2 * n : n) && d_out.size() == out.size(),
      "{}, {}, {}, {}", n, eps.size(), out.size(), d_out.size());
  const double count = static_cast<double>(n);
  const double slope = 2 / count * scale * weight(t);
  const double bound_slope = scale * bound_weight_ / count / exact::kLn2;
  const double mean_slope = frozen_mean_ ? 0 : bound_slope;
  const Target to = target_of(schedule_, t, prediction_);
  std::optional<ReverseStep> step;
  if (bound_weight_ > 0) step.emplace(schedule_, t, model());
  double error_sum = 0, nats = 0;
  for (std::size_t i = 0; i < n; ++i) {
    // The target is rounded to Real, as make_target() does: `simple` has simple_loss()'s bits.
    const double target = static_cast<Real>(to.x0 * x0[i] + to.eps * eps[i]);
    const double error = out[i] - target;
    error_sum += error * error;
    double d = slope * error, d_v = 0;
    if (step) {
      const ElementTerm term = (*step)(x0[i], eps[i], out[i], learned ? out[n + i] : 0);
      nats += term.nats;
      if (mean_slope != 0) d += mean_slope * term.d_out;
      d_v = bound_slope * term.d_v;
    }
    d_out[i] = static_cast<Real>(d);
    if (learned) d_out[n + i] = static_cast<Real>(d_v);
  }
  return weight(t) * (error_sum / count) + bound_weight_ * (nats / count / exact::kLn2);
}

template double Objective::operator()(int, std::span<const float>, std::span<const float>,
                                      std::span<const float>, double, std::span<float>) const;
template double Objective::operator()(int, std::span<const double>, std::span<const double>,
                                      std::span<const double>, double, std::span<double>) const;

}  // namespace ddpm
