// The variance of the reverse process p(x_{t-1} | x_t): fixed, read from the network, or fitted.
#pragma once

#include <span>
#include <vector>

#include "ddpm/diffusion/prediction.h"

namespace ddpm {

/// Whether the network puts out C channels for the mean and then C for the variance.
constexpr bool is_learned(Variance kind) {
  return kind == Variance::learned || kind == Variance::learned_range;
}

/// log sigma_t^2 = offset + slope * v, v the network's variance channel. slope is also d log
/// sigma_t^2 / d v.
struct LogVariance {
  double offset, slope;
};

/// log beta-tilde_t, the log-variance of q(x_{t-1} | x_t, x_0), t in 1..T. It is -inf at t = 1, so
/// that of t = 2 stands there (beta_1 when T = 1): "clipped" in OpenAI's code.
double log_posterior_variance(const Schedule& schedule, int t);

/// The log-variance of p(x_{t-1} | x_t), t in 1..T. learned_range: between log beta-tilde_t (v =
/// -1) and log beta_t (v = 1), beyond them outside. fixed_large at t = 1 is OpenAI's and the
/// paper's code: that of log_posterior_variance. `optimal`: T variances of t = 1..T, read by
/// Variance::optimal alone (Error unless there are T); one of 0 is that of fixed_small. Of a
/// re-spaced process: give its own schedule and t (respacing.h).
LogVariance log_variance_of(const Schedule& schedule, int t, Variance kind,
                            std::span<const double> optimal = {});

/// sigma_t^2 that maximises the likelihood for t = 1..T, given mean_eps_squared[t - 1] = E |eps|^2
/// / D of the network's (best) eps at t (Bao et al. 2022, Theorem 1, with lambda^2 = beta-tilde):
/// beta-tilde_t + c_x0^2 Var, where Var = (1 - alpha_bar_t) / alpha_bar_t (1 - E |eps|^2 / D) is
/// what x_t leaves unknown of x_0, held in 0..1 because data lie in [-1, 1] (Theorem 3). Throws
/// Error unless there are T finite numbers >= 0.
std::vector<double> optimal_variances(const Schedule& schedule,
                                      std::span<const double> mean_eps_squared);

}  // namespace ddpm
