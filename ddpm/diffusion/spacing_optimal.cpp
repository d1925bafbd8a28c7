// The spacing that the measured bound likes best, by dynamic programming.
#include <algorithm>
#include <cmath>
#include <limits>

#include "ddpm/base/error.h"
#include "ddpm/base/exact.h"
#include "ddpm/diffusion/spacing.h"

namespace ddpm {
namespace {

constexpr int kMostSteps = 4000;   // 128 MB of costs
constexpr double kMostWork = 4e9;  // calls T^2: some seconds
constexpr double kTwoPi = 6.28318530717958647692;

// E |x0 - read x0|^2 / D at t, of a network whose eps is wrong by `eps_error`.
double x0_error(const Schedule& schedule, int t, double eps_error) {
  return schedule.one_minus_alpha_bar(t) / schedule.alpha_bar(t) * eps_error;
}

// KL between Gaussians whose means differ by `miss` in square, with the variance of p that
// minimises it, variance + miss: half the log of its ratio to q's.
double jump_cost(const Schedule& schedule, int s, int t, double error) {
  const double beta = schedule.jump_beta(s, t), var_t = schedule.one_minus_alpha_bar(t);
  const double variance = beta * schedule.one_minus_alpha_bar(s) / var_t;
  const double c_x0 = std::sqrt(schedule.alpha_bar(s)) * beta / var_t;
  return exact::log1p(c_x0 * c_x0 * error / variance) / 2;
}

// -log N(x0; read x0, error) at its mean, for bins of 2 / 255.
double last_cost(double error) {
  const double e = 2.71828182845904523536, bin = 2.0 / 255;
  return std::max(exact::log(kTwoPi * e * std::max(error, 1e-300)) / 2 - exact::log(bin), 0.0);
}

void check_errors(const Schedule& schedule, std::span<const double> eps_error) {
  const bool fits = eps_error.size() == static_cast<std::size_t>(schedule.T()) &&
                    std::ranges::all_of(eps_error, [](double e) { return e >= 0 && e < 1e300; });
  if (!fits) {
    throw Error("[plan] spacing=optimal: got {} measured errors, expected {} numbers >= 0",
                eps_error.size(), schedule.T());
  }
  if (schedule.T() > kMostSteps || schedule.alpha_bar(schedule.T()) == 0) {
    throw Error(
        "[plan] spacing=optimal: got T = {} and alpha_bar(T) = {}, expected T <= {} and "
        "alpha_bar(T) > 0; try spacing=uniform",
        schedule.T(), schedule.alpha_bar(schedule.T()), kMostSteps);
  }
}

}  // namespace

JumpCosts::JumpCosts(int T) : T_(T), cost_(static_cast<std::size_t>(T + 1) * (T + 1)) {
  DDPM_CHECK(1 <= T && T <= kMostSteps, "T = {}", T);
}

double& JumpCosts::at(int s, int t) {
  DDPM_CHECK(0 <= s && s < t && t <= T_, "s = {}, t = {}, T = {}", s, t, T_);
  return cost_[static_cast<std::size_t>(t) * (T_ + 1) + s];
}

double JumpCosts::at(int s, int t) const {
  DDPM_CHECK(0 <= s && s < t && t <= T_, "s = {}, t = {}, T = {}", s, t, T_);
  return cost_[static_cast<std::size_t>(t) * (T_ + 1) + s];
}

JumpCosts bound_costs(const Schedule& schedule, std::span<const double> eps_error) {
  check_errors(schedule, eps_error);
  JumpCosts costs(schedule.T());
  for (int t = 1; t <= schedule.T(); ++t) {
    const double error = x0_error(schedule, t, eps_error[t - 1]);
    costs.at(0, t) = last_cost(error);
    for (int s = 1; s < t; ++s) costs.at(s, t) = jump_cost(schedule, s, t, error);
  }
  return costs;
}

std::vector<int> optimal_times(const JumpCosts& costs, int calls) {
  const int T = costs.T();
  if (calls < 1 || calls > T) {
    throw Error("[plan] spacing=optimal: got {} network calls, expected 1..{}", calls, T);
  }
  if (static_cast<double>(calls) * T * T > kMostWork) {
    throw Error("[plan] spacing=optimal: got {} network calls of T = {}, expected at most {}",
                calls, T, static_cast<int>(kMostWork / T / T));
  }
  // best[t] = least cost from t down to 0 in k jumps; next[k][t] = where the first of them lands.
  std::vector<double> best(T + 1, std::numeric_limits<double>::infinity());
  best[0] = 0;
  std::vector<std::vector<int>> next;
  for (int k = 1; k <= calls; ++k) {
    std::vector<double> better(T + 1, std::numeric_limits<double>::infinity());
    next.emplace_back(T + 1, 0);
    for (int t = k; t <= T; ++t) {
      for (int s = k - 1; s < t; ++s) {
        const double cost = best[s] + costs.at(s, t);
        if (cost < better[t]) {
          better[t] = cost;
          next.back()[t] = s;
        }
      }
    }
    best = std::move(better);
  }
  std::vector<int> times;
  int t = T;
  for (int k = calls; k >= 1; --k) {
    times.push_back(t);
    t = next[k - 1][t];
  }
  return times;
}

}  // namespace ddpm
