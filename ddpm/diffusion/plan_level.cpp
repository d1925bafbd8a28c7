#include "ddpm/diffusion/plan_level.h"

#include <algorithm>
#include <cmath>

#include "ddpm/base/error.h"
#include "ddpm/base/exact.h"

namespace ddpm {
namespace {

constexpr double kLeastSignal = 0x1p-12;  // alpha_bar = 2^-24

Level level_of_rho(double time, double rho) {
  const double signal = 1 / std::sqrt(1 + rho * rho);
  return {time, std::nullopt, signal, rho * signal, rho, rho * rho * signal * signal};
}

// Eq. (7) of the step down to t - 1 from a level between whole times.
Posterior posterior_at(const Levels& levels, const Level& level) {
  const Schedule& s = levels.schedule();
  if (level.t) return s.posterior(*level.t);
  const double before = level.time - 1;  // as the network is fed; -1 is clean data
  const double first = levels.finite(1).rho;
  const double rho = before >= 0 ? levels.at_time(before).rho : first * (before + 1);
  const double signal_s = 1 / std::sqrt(1 + rho * rho);
  const double beta = (level.rho - rho) * (level.rho + rho) * level.signal * level.signal;
  const double var_t = level.variance;
  return {.c_x0 = signal_s * beta / var_t,
          .c_xt = level.signal / signal_s * (rho * rho * signal_s * signal_s) / var_t,
          .variance = 0};
}

Mix mix_of(const Levels& levels, const Level& level, Prediction prediction) {
  Mix mix{level.time + 1, level.signal, level.noise, level.variance};
  if (prediction == Prediction::mu) mix.down = posterior_at(levels, level);
  return mix;
}

}  // namespace

Levels::Levels(const Schedule& schedule) : schedule_(schedule) {}

Level Levels::whole(int t) const {
  const double signal = std::sqrt(schedule_.alpha_bar(t));
  const double noise = std::sqrt(schedule_.one_minus_alpha_bar(t));
  return {network_time(t), t, signal, noise, noise / signal, schedule_.one_minus_alpha_bar(t)};
}

Level Levels::finite(int t) const {
  const Level level = whole(t);
  if (level.signal > 0) return level;
  return level_of_rho(level.time,
                      std::sqrt((1 - kLeastSignal) * (1 + kLeastSignal)) / kLeastSignal);
}

Level Levels::at_time(double time) const {
  const double last = network_time(schedule_.T());
  const double held = std::clamp(time, 0.0, last);
  const int below = static_cast<int>(held) + 1;
  const double w = held - network_time(below);
  Level level = finite(below);
  if (w > 0) level = level_of_rho(held, level.rho + w * (finite(below + 1).rho - level.rho));
  level.time = time;
  if (held != time) level.t.reset();
  return level;
}

double Levels::log_rho(int t) const { return exact::log(finite(t).rho); }

Level Levels::at_rho(double rho) const {
  const double log = exact::log(rho);
  int low = 1, high = schedule_.T();  // bisection: rho(low) <= rho < rho(high)
  while (high - low > 1) {
    const int middle = (low + high) / 2;
    (log_rho(middle) <= log ? low : high) = middle;
  }
  const double below = log_rho(low), above = log_rho(high);
  const double way = high == low ? 0 : std::clamp((log - below) / (above - below), 0.0, 1.0);
  const double time = network_time(low) + way;
  // A level that is a whole one but for rounding is fed the whole time.
  const double nearest = std::rint(time);
  return level_of_rho(std::abs(time - nearest) < 1e-9 ? nearest : time, rho);
}

Linear x0_at(const Levels& levels, const Level& level, Prediction prediction) {
  return x0_from(mix_of(levels, level, prediction), prediction);
}

Linear eps_at(const Levels& levels, const Level& level, Prediction prediction) {
  return eps_from(mix_of(levels, level, prediction), prediction);
}

Row call_at(const Levels& levels, const Level& level, const ModelView& view, State state) {
  const double scale = state == State::ve ? level.signal : 1;  // of the state, to be x
  const Linear x0 = x0_at(levels, level, view.prediction);
  Row row;
  row.time = level.time;
  row.c_in = scale;
  row.r_x = x0.x * scale;
  row.r_out = x0.out;
  row.limit = view.limit;
  if (view.eps_from == EpsFrom::raw) {
    const Linear eps = eps_at(levels, level, view.prediction);
    row.e_x = eps.x * scale;
    row.e_out = eps.out;
  } else {  // eps = (x - signal x0) / noise, Eq. (4)
    row.e_x = 1 / level.noise * scale;
    row.e_x0 = -level.signal * (1 / level.noise);
  }
  return row;
}

}  // namespace ddpm
