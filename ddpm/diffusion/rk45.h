// Runge-Kutta of order 5 with an embedded error estimate, for ordinary differential equations.
#pragma once

#include <functional>
#include <span>

namespace ddpm {

/// Writes dy/dt at (t, y).
using Drift = std::function<void(double t, std::span<const double> y, std::span<double> dy)>;

struct Rk45Options {
  double rtol = 1e-5, atol = 1e-5;  // error of a step below atol + rtol |y|, root mean square
  int max_evaluations = 100'000;
};

struct Rk45Stats {
  int evaluations = 0, accepted = 0, rejected = 0;
};

/// Carries y from t0 to t1 (either direction) by Dormand & Prince's pair with local extrapolation.
/// Steps are chosen as scipy's solve_ivp(method="RK45") chooses them. Throws Error: usage for
/// tolerances that are not positive, numeric when the drift is not finite or max_evaluations are
/// spent.
Rk45Stats rk45(const Drift& drift, double t0, double t1, std::span<double> y,
               const Rk45Options& options = {});

}  // namespace ddpm
