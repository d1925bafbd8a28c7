#include "ddpm/likelihood/process.h"

#include <cmath>
#include <limits>
#include <numeric>

#include "ddpm/base/error.h"
#include "ddpm/diffusion/respacing.h"

namespace ddpm {
namespace {

std::vector<int> all_times(int T) {
  std::vector<int> times(static_cast<std::size_t>(T));
  std::iota(times.begin(), times.end(), 1);
  return times;
}

// Dynamic thresholds belong to samplers; data lie in [-1, 1], so a likelihood may clip there.
double clip_of(const Limit& limit) {
  switch (limit.kind) {
    case Limit::Kind::none:
      return std::numeric_limits<double>::infinity();
    case Limit::Kind::clip:
      return limit.range;
    case Limit::Kind::quantile:
      return 1;
  }
  throw BugError("[likelihood] clip_of: unknown limit");
}

std::vector<double> optimal_of(const Schedule& schedule, std::span<const int> times,
                               std::span<const double> measured) {
  std::vector<double> kept;
  for (const int t : times) {
    if (static_cast<std::size_t>(t) > measured.size()) {
      throw Error(
          "[likelihood] variance optimal: got {} measurements, expected one a step; try "
          "ddpm nll --fit-variance",
          measured.size());
    }
    kept.push_back(measured[t - 1]);
  }
  return optimal_variances(schedule, kept);
}

}  // namespace

BoundProcess::BoundProcess(const Schedule& whole, const ModelView& view, Decoder decoder,
                           std::vector<int> times)
    : whole_(whole),
      schedule_(whole),
      view_(view),
      decoder_(decoder),
      times_(times.empty() ? all_times(whole.T()) : std::move(times)),
      step_at_(static_cast<std::size_t>(whole.T()) + 1) {
  if (steps() < whole.T()) {
    schedule_ = respace(whole, times_).schedule;
    reads_x0_of_mean_ = view.prediction == Prediction::mu;
  }
  for (int k = 1; k <= steps(); ++k) step_at_[time(k)] = k;
  if (view.variance == Variance::optimal) {
    optimal_ = optimal_of(schedule_, times_, view.mean_eps_squared);
  }
  (void)ReverseStep(schedule_, steps(), reverse());  // refuses what can't be read before any work
}

ReverseModel BoundProcess::reverse() const {
  return {.prediction = reads_x0_of_mean_ ? Prediction::x0 : view_.prediction,
          .variance = view_.variance,
          .optimal = optimal_,
          .clip = clip_of(view_.limit),
          .decoder = decoder_};
}

double BoundProcess::prior(std::span<const float> x0) const {
  return prior_bits<float>(schedule_, x0);
}

// The mean part of the output as x0; the variance part as it is.
std::vector<float> BoundProcess::x0_of_mean(int k, std::span<const float> x0,
                                            std::span<const float> eps,
                                            std::span<const float> out) const {
  const double a = std::sqrt(schedule_.alpha_bar(k));
  const double b = std::sqrt(schedule_.one_minus_alpha_bar(k));
  const Linear read = x0_from(whole_, time(k), Prediction::mu);
  std::vector<float> result(out.begin(), out.end());
  for (std::size_t i = 0; i < x0.size(); ++i) {
    result[i] = static_cast<float>(read.x * (a * x0[i] + b * eps[i]) + read.out * out[i]);
  }
  return result;
}

BoundTerm BoundProcess::term(int k, std::span<const float> x0, std::span<const float> eps,
                             std::span<const float> out) const {
  if (!reads_x0_of_mean_) return bound_term<float>(schedule_, k, reverse(), x0, eps, out);
  return bound_term<float>(schedule_, k, reverse(), x0, eps, x0_of_mean(k, x0, eps, out));
}

}  // namespace ddpm
