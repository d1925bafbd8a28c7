// The meaning of a plan in a dozen lines of double: what any runner must do.
#pragma once

#include <algorithm>
#include <functional>
#include <vector>

#include "ddpm/diffusion/plan.h"

namespace ddpm {

using Vector = std::vector<double>;
using Network = std::function<Vector(const Vector& x, double time)>;
using Noise = std::function<double(int row, int element)>;
using Watch = std::function<void(int row, const Vector& x, const Vector& x0)>;

inline double limited(const Limit& limit, double x0) {
  return limit.kind == Limit::Kind::clip ? std::clamp(x0, -limit.range, limit.range) : x0;
}

/// Runs one row on `x` in place and returns the row's x0.
inline Vector run_row(const Row& row, int number, const Network& network, const Noise& noise,
                      Vector& x) {
  Vector in = x, x0 = x, eps = x;
  for (double& value : in) value *= row.c_in;
  const Vector out = network(in, row.time.value());
  for (std::size_t i = 0; i < x.size(); ++i) {
    x0[i] = limited(row.limit, row.r_x * x[i] + row.r_out * out[i]);
    eps[i] = row.e_x * x[i] + row.e_out * out[i] + row.e_x0 * x0[i];
  }
  for (const Update& update : row.updates) {
    Vector sum(x.size());
    for (std::size_t i = 0; i < x.size(); ++i) {
      sum[i] = update.c_z == 0 ? 0 : update.c_z * noise(number, static_cast<int>(i));
      for (const Term& term : update.terms) {
        sum[i] += term.c * (term.reg == Reg::x ? x : term.reg == Reg::x0 ? x0 : eps)[i];
      }
    }
    (update.dst == Reg::x ? x : update.dst == Reg::x0 ? x0 : eps) = sum;
  }
  return x0;
}

inline Vector run(const Plan& plan, const Network& network, const Noise& noise, Vector x,
                  const Watch& watch = {}) {
  for (int row = 0; row < static_cast<int>(plan.size()); ++row) {
    const Vector x0 = run_row(plan[row], row, network, noise, x);
    if (watch) watch(row, x, x0);
  }
  return x;
}

/// A row whose limit is none, as x' = x * x + out * output + z * noise.
struct Step {
  double x, out, z;
};

inline Step as_step(const Row& row) {
  const Update& update = row.updates.at(0);
  Step step{0, 0, update.c_z};
  for (const Term& term : update.terms) {
    switch (term.reg) {
      case Reg::x:
        step.x += term.c;
        break;
      case Reg::x0:
        step.x += term.c * row.r_x;
        step.out += term.c * row.r_out;
        break;
      case Reg::eps:
        step.x += term.c * (row.e_x + row.e_x0 * row.r_x);
        step.out += term.c * (row.e_out + row.e_x0 * row.r_out);
    }
  }
  return step;
}

}  // namespace ddpm
