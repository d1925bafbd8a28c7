// The meaning of a plan in some lines of double: what any runner must do.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <vector>

#include "ddpm/diffusion/plan.h"

namespace ddpm {

using Vector = std::vector<double>;
using Network = std::function<Vector(const Vector& x, double time)>;  // twice as long: variance
using Noise = std::function<double(int row, int element)>;
using Watch = std::function<void(int row, const Vector& x, const Vector& x0)>;

/// One image.
class Interpreter {
 public:
  explicit Interpreter(Vector x) {
    regs_.fill(Vector(x.size(), 0.0));
    at(Reg::x) = std::move(x);
  }

  Vector& at(Reg reg) { return regs_[static_cast<std::size_t>(reg)]; }

  void run_row(const Row& row, int number, const Network& network, const Noise& noise) {
    if (row.time) call(row, network);
    for (const Update& update : row.updates) apply(update, number, noise);
  }

 private:
  void call(const Row& row, const Network& network) {
    Vector in = at(Reg::x);
    for (double& value : in) value *= row.c_in;
    out_ = network(in, *row.time);
    for (const auto& regs : {kX0, kEps}) {
      for (std::size_t i = 3; i > 0; --i) at(regs[i]) = at(regs[i - 1]);
    }
    const Vector& x = at(Reg::x);
    Vector &x0 = at(Reg::x0), &eps = at(Reg::eps);
    for (std::size_t i = 0; i < x.size(); ++i) x0[i] = row.r_x * x[i] + row.r_out * out_[i];
    limit(row.limit, x0);
    for (std::size_t i = 0; i < x.size(); ++i) {
      eps[i] = row.e_x * x[i] + row.e_out * out_[i] + row.e_x0 * x0[i];
    }
  }

  static void limit(const Limit& limit, Vector& x0) {
    double s = limit.range, divisor = 1;
    if (limit.kind == Limit::Kind::none) return;
    if (limit.kind == Limit::Kind::quantile) {
      Vector sizes = x0;
      for (double& value : sizes) value = std::abs(value);
      std::ranges::sort(sizes);
      const double place = limit.quantile * static_cast<double>(sizes.size() - 1);
      const auto low = static_cast<std::size_t>(place);
      const auto high = std::min(low + 1, sizes.size() - 1);
      const double value = sizes[low] + (place - std::floor(place)) * (sizes[high] - sizes[low]);
      s = divisor = std::clamp(value, 1.0, limit.range);
    }
    for (double& value : x0) value = std::clamp(value, -s, s) / divisor;
  }

  void apply(const Update& update, int number, const Noise& noise) {
    const std::size_t n = at(Reg::x).size();
    Vector sum(n), z(n);
    for (std::size_t i = 0; i < n; ++i) {
      if (update.c_z != 0 || update.snr > 0) z[i] = noise(number, static_cast<int>(i));
      const double scale = update.z_v == 0 ? 1 : std::exp(update.z_v * out_.at(n + i));
      sum[i] = update.c_z * scale * z[i];
      for (const Term& term : update.terms) sum[i] += term.c * at(term.reg)[i];
    }
    Vector& dst = at(update.dst);
    if (update.snr > 0) {
      double g2 = 0, z2 = 0;
      for (std::size_t i = 0; i < n; ++i) g2 += sum[i] * sum[i], z2 += z[i] * z[i];
      const double h = 2 * update.snr * update.snr * z2 / g2;
      for (std::size_t i = 0; i < n; ++i) sum[i] = dst[i] + h * sum[i] + std::sqrt(2 * h) * z[i];
    }
    dst = sum;
  }

  std::array<Vector, kRegs> regs_;
  Vector out_;
};

/// Runs one row on `x` in place and returns the row's x0.
inline Vector run_row(const Row& row, int number, const Network& network, const Noise& noise,
                      Vector& x) {
  Interpreter interpreter(x);
  interpreter.run_row(row, number, network, noise);
  x = interpreter.at(Reg::x);
  return interpreter.at(Reg::x0);
}

inline Vector run(const Plan& plan, const Network& network, const Noise& noise, Vector x,
                  const Watch& watch = {}) {
  for (double& value : x) value *= plan.initial_scale;
  Interpreter interpreter(std::move(x));
  for (int row = 0; row < static_cast<int>(plan.size()); ++row) {
    interpreter.run_row(plan[row], row, network, noise);
    if (watch) watch(row, interpreter.at(Reg::x), interpreter.at(Reg::x0));
  }
  return interpreter.at(Reg::x);
}

/// A row whose limit is none and that reads x, x0 and eps alone, as x' = x * x + out * output + z *
/// noise.
struct Step {
  double x, out, z;
};

inline Step as_step(const Row& row) {
  const Update& update = row.updates.at(0);
  Step step{0, 0, update.c_z};
  for (const Term& term : update.terms) {
    if (term.reg == Reg::x) {
      step.x += term.c;
    } else if (term.reg == Reg::x0) {
      step.x += term.c * row.r_x;
      step.out += term.c * row.r_out;
    } else if (term.reg == Reg::eps) {
      step.x += term.c * (row.e_x + row.e_x0 * row.r_x);
      step.out += term.c * (row.e_out + row.e_x0 * row.r_out);
    }
  }
  return step;
}

}  // namespace ddpm
