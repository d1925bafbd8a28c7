#include "ddpm/diffusion/variance.h"

#include <algorithm>
#include <cmath>

#include "ddpm/base/error.h"
#include "ddpm/base/exact.h"

namespace ddpm {
namespace {

double log_optimal(const Schedule& schedule, int t, std::span<const double> optimal) {
  if (optimal.size() != static_cast<std::size_t>(schedule.T())) {
    throw Error(
        "[diffusion] variance: got {} optimal variances, expected one for each of {} steps; try "
        "variance fixed_small, or fit them for this schedule",
        optimal.size(), schedule.T());
  }
  // Of a network that knew nothing at t = 1, where beta-tilde is 0 too.
  if (optimal[t - 1] == 0) return log_posterior_variance(schedule, t);
  return exact::log(optimal[t - 1]);
}

// The variance of x_0 given x_t, an average over x_t and the elements.
double unknown_of_x0(const Schedule& schedule, int t, double mean_eps_squared) {
  const double known = std::min(mean_eps_squared, 1.0);
  const double a = schedule.alpha_bar(t);
  if (a == 0) return 1;  // x_T tells nothing; data in [-1, 1] vary by at most 1
  return std::min(schedule.one_minus_alpha_bar(t) / a * (1 - known), 1.0);
}

}  // namespace

double log_posterior_variance(const Schedule& schedule, int t) {
  if (t == 1 && schedule.T() == 1) return exact::log(schedule.beta(1));
  return exact::log(schedule.posterior(t == 1 ? 2 : t).variance);
}

LogVariance log_variance_of(const Schedule& schedule, int t, Variance kind,
                            std::span<const double> optimal) {
  switch (kind) {
    case Variance::fixed_small:
      return {log_posterior_variance(schedule, t), 0};
    case Variance::fixed_large:
      return {t == 1 ? log_posterior_variance(schedule, 1) : exact::log(schedule.beta(t)), 0};
    case Variance::learned:
      return {0, 1};
    case Variance::learned_range: {  // (v + 1) / 2 of the way from low to high
      const double low = log_posterior_variance(schedule, t);
      const double high = exact::log(schedule.beta(t));
      return {(high + low) / 2, (high - low) / 2};
    }
    case Variance::optimal:
      return {log_optimal(schedule, t, optimal), 0};
  }
  throw BugError("[diffusion] log_variance_of: unknown variance");
}

std::vector<double> optimal_variances(const Schedule& schedule,
                                      std::span<const double> mean_eps_squared) {
  if (mean_eps_squared.size() != static_cast<std::size_t>(schedule.T())) {
    throw Error("[diffusion] optimal variances: got {} measurements, expected {}, one a step",
                mean_eps_squared.size(), schedule.T());
  }
  std::vector<double> variances;
  for (int t = 1; t <= schedule.T(); ++t) {
    const double measured = mean_eps_squared[t - 1];
    if (!(measured >= 0 && std::isfinite(measured))) {
      throw Error(
          ExitCode::numeric,
          "[diffusion] optimal variances: got E eps^2 = {} at t = {}, expected a number >= 0",
          measured, t);
    }
    const Posterior q = schedule.posterior(t);
    variances.push_back(q.variance + q.c_x0 * q.c_x0 * unknown_of_x0(schedule, t, measured));
  }
  return variances;
}

}  // namespace ddpm
