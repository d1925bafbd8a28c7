// At which times a sampler calls the network.
#pragma once

#include <span>
#include <vector>

#include "ddpm/diffusion/schedule.h"

namespace ddpm {

/// Of whole times (the paper's t = 1..T): uniform: 1 + floor(i T / calls). quadratic: 1 + floor((i
/// sqrt(0.8 T) / (calls - 1))^2) (Song et al. 2020, App. D.2), made strictly increasing. leading,
/// linspace, trailing: as diffusers names them (Lin et al. 2023, Table 2): 1 + i floor(T / calls);
/// from 1 to T, both included (T alone for one call); round(T - i T / calls). optimal: see
/// optimal_times. Of noise levels, so that times may be fractional: karras, exponential,
/// polyexponential.
enum class Spacing {
  uniform,
  quadratic,
  leading,
  linspace,
  trailing,
  optimal,
  karras,
  exponential,
  polyexponential
};

/// `calls` decreasing times, for one of the first five. Halves round to even, as numpy's. Throws
/// Error unless 1 <= calls <= T.
std::vector<int> spaced_times(int T, int calls, Spacing spacing);

/// What jumps cost: at(s, t) for a jump from time t down to s, 0 <= s < t <= T, in any unit.
class JumpCosts {
 public:
  /// All zero.
  explicit JumpCosts(int T);

  int T() const { return T_; }
  double& at(int s, int t);
  double at(int s, int t) const;

 private:
  int T_;
  std::vector<double> cost_;  // [T + 1, T + 1]
};

/// The part of the variational bound, in nats per dimension, of one ancestral step from t to s, for
/// every s < t. eps_error[t - 1] = E |eps - true eps|^2 / D measured at t = 1..T. For s > 0 it is
/// KL(q(x_s | x_t, x_0) || p) with the best fixed variance; for s = 0 the density of x_0 at its
/// best variance, less log(2 / 255) for the bins, and not below 0. Throws Error unless there are T
/// finite numbers >= 0, alpha_bar(T) > 0 and T <= 4000 (the table is quadratic).
JumpCosts bound_costs(const Schedule& schedule, std::span<const double> eps_error);

/// The `calls` decreasing times, the first of them T, whose jumps down to 0 cost least together
/// (Watson et al. 2021, "Learning to efficiently sample from diffusion probabilistic models"),
/// by dynamic programming. Of equal costs, the smaller times. Throws Error unless 1 <= calls <= T
/// and calls T^2 <= 4 * 10^9.
std::vector<int> optimal_times(const JumpCosts& costs, int calls);

}  // namespace ddpm
