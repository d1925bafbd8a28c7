#include "ddpm/diffusion/rk45.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "ddpm/base/error.h"
#include "ddpm/base/exact.h"

namespace ddpm {
namespace {

using State = std::vector<double>;

// Dormand & Prince 1980. kA[s][i]: weight of slope i in the state of stage s; stage 6 is the
// result.
constexpr std::array kC = {0.0, 1.0 / 5, 3.0 / 10, 4.0 / 5, 8.0 / 9, 1.0, 1.0};
constexpr double kA[7][6] = {
    {},
    {1.0 / 5},
    {3.0 / 40, 9.0 / 40},
    {44.0 / 45, -56.0 / 15, 32.0 / 9},
    {19372.0 / 6561, -25360.0 / 2187, 64448.0 / 6561, -212.0 / 729},
    {9017.0 / 3168, -355.0 / 33, 46732.0 / 5247, 49.0 / 176, -5103.0 / 18656},
    {35.0 / 384, 0, 500.0 / 1113, 125.0 / 192, -2187.0 / 6784, 11.0 / 84}};
constexpr std::array kError = {-71.0 / 57600,    0.0,         71.0 / 16695, -71.0 / 1920,
                               17253.0 / 339200, -22.0 / 525, 1.0 / 40};

class Solver {
 public:
  Solver(const Drift& drift, std::span<double> y, const Rk45Options& options)
      : drift_(drift), y_(y), options_(options), next_(y.size()) {
    slopes_.fill(State(y.size()));
  }

  Rk45Stats run(double t0, double t1) {
    if (t0 == t1 || y_.empty()) return stats_;
    double t = t0;
    const double direction = t1 > t0 ? 1 : -1;
    evaluate(t, y_, slopes_[0]);
    double h = first_step(t0, t1, direction);
    bool rejected_before = false;
    while (t != t1) {
      const double rest = std::abs(t1 - t);
      h = std::min(h, rest);
      const double to = h == rest ? t1 : t + direction * h;
      check_step(t, to);
      const double error = attempt(t, to);
      if (error < 1) {
        t = to;
        h *= growth(error, rejected_before);
        rejected_before = false;
        accept();
      } else {
        h *= std::max(0.2, 0.9 * exact::pow(error, -0.2));
        rejected_before = true;
        ++stats_.rejected;
      }
    }
    return stats_;
  }

 private:
  static double growth(double error, bool rejected_before) {
    const double factor = error == 0 ? 10 : std::min(10.0, 0.9 * exact::pow(error, -0.2));
    return rejected_before ? std::min(1.0, factor) : factor;
  }

  static void check_step(double from, double to) {
    if (to != from) return;
    throw Error(ExitCode::numeric,
                "[diffusion] rk45: got a step below the spacing of doubles at t = {}, expected a "
                "smooth drift; try a larger tolerance",
                from);
  }

  void evaluate(double t, std::span<const double> y, State& slope) {
    if (stats_.evaluations == options_.max_evaluations) {
      throw Error(
          ExitCode::numeric,
          "[diffusion] rk45: got t = {} after {} evaluations, expected the end; try a larger "
          "tolerance",
          t, stats_.evaluations);
    }
    ++stats_.evaluations;
    drift_(t, y, slope);
    for (const double s : slope) {
      if (std::isfinite(s)) continue;
      throw Error(ExitCode::numeric, "[diffusion] rk45: got a drift of {} at t = {}", s, t);
    }
  }

  double scale(double a) const { return options_.atol + options_.rtol * a; }

  // Root mean square of values over their scales at y.
  template <class Value>
  double norm(Value value) const {
    double sum = 0;
    for (std::size_t i = 0; i < y_.size(); ++i) {
      const double ratio = value(i) / scale(std::abs(y_[i]));
      sum += ratio * ratio;
    }
    return std::sqrt(sum / static_cast<double>(y_.size()));
  }

  // Hairer, Norsett & Wanner 1993, Sec. II.4: from the first slope and that after one Euler step.
  double first_step(double t, double end, double direction) {
    const State& f = slopes_[0];
    const double d0 = norm([&](std::size_t i) { return y_[i]; });
    const double d1 = norm([&](std::size_t i) { return f[i]; });
    const double whole = std::abs(end - t);  // the drift need not exist beyond it
    const double h0 = std::min(whole, d0 < 1e-5 || d1 < 1e-5 ? 1e-6 : 0.01 * d0 / d1);
    for (std::size_t i = 0; i < y_.size(); ++i) next_[i] = y_[i] + direction * h0 * f[i];
    evaluate(t + direction * h0, next_, slopes_[1]);
    const double d2 = norm([&](std::size_t i) { return slopes_[1][i] - f[i]; }) / h0;
    const double steepest = std::max(d1, d2);
    const double h1 =
        steepest <= 1e-15 ? std::max(1e-6, h0 * 1e-3) : exact::pow(0.01 / steepest, 0.2);
    return std::min({100 * h0, h1, whole});
  }

  // One step into next_; its error in units of the tolerance.
  double attempt(double t, double to) {
    const double h = to - t;
    for (std::size_t stage = 1; stage < kC.size(); ++stage) {
      for (std::size_t i = 0; i < y_.size(); ++i) {
        double sum = 0;
        for (std::size_t k = 0; k < stage; ++k) sum += kA[stage][k] * slopes_[k][i];
        next_[i] = y_[i] + h * sum;
      }
      evaluate(stage >= 5 ? to : t + kC[stage] * h, next_, slopes_[stage]);
    }
    double squares = 0;
    for (std::size_t i = 0; i < y_.size(); ++i) {
      double sum = 0;
      for (std::size_t k = 0; k < kError.size(); ++k) sum += kError[k] * slopes_[k][i];
      const double ratio = h * sum / scale(std::max(std::abs(y_[i]), std::abs(next_[i])));
      squares += ratio * ratio;
    }
    return std::sqrt(squares / static_cast<double>(y_.size()));
  }

  void accept() {
    std::ranges::copy(next_, y_.begin());
    std::swap(slopes_[0], slopes_[6]);  // the last slope is the next step's first
    ++stats_.accepted;
  }

  const Drift& drift_;
  std::span<double> y_;
  const Rk45Options& options_;
  State next_;
  std::array<State, 7> slopes_;
  Rk45Stats stats_;
};

}  // namespace

Rk45Stats rk45(const Drift& drift, double t0, double t1, std::span<double> y,
               const Rk45Options& options) {
  if (!(options.rtol > 0 && options.atol > 0)) {
    throw Error("[diffusion] rk45: got rtol = {}, atol = {}, expected positive numbers; try 1e-5",
                options.rtol, options.atol);
  }
  return Solver(drift, y, options).run(t0, t1);
}

}  // namespace ddpm
