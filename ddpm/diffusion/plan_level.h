// Noise levels: where on the forward process a row of a plan stands, and how the network is read
// there.
#pragma once

#include <optional>
#include <vector>

#include "ddpm/diffusion/plan.h"

namespace ddpm {

/// x = signal x0 + noise eps, signal^2 + noise^2 = 1; rho = noise / signal is the sigma of Karras
/// et al. 2022 (infinite where signal is 0).
struct Level {
  double time;           // as the network is fed
  std::optional<int> t;  // the paper's, where the level is one of the schedule's, 0 included
  double signal, noise, rho;
  double variance;  // of the noise: 1 - alpha_bar, to the last digit where t is whole
};

/// The levels of a schedule and those between them.
class Levels {
 public:
  explicit Levels(const Schedule& schedule);

  const Schedule& schedule() const { return schedule_; }
  /// t in 0..T.
  Level whole(int t) const;
  /// The same, but where the signal is 0 it is 2^-12, as in diffusers' DPM, UniPC and Euler.
  Level finite(int t) const;
  /// rho linear between whole times; `time` as the network is fed, held in 0..T - 1.
  Level at_time(double time) const;
  /// The level of a given rho > 0, at the time where log rho, linear between whole times, is log
  /// rho.
  Level at_rho(double rho) const;

 private:
  double log_rho(int t) const;

  const Schedule& schedule_;
};

/// x0 and eps from x and the network's output, at a level.
Linear x0_at(const Levels& levels, const Level& level, Prediction prediction);
Linear eps_at(const Levels& levels, const Level& level, Prediction prediction);

/// A row that calls the network at a level. vp: the state is x; ve: it is x / signal = x0 + rho
/// eps.
enum class State { vp, ve };
Row call_at(const Levels& levels, const Level& level, const ModelView& view,
            State state = State::vp);

}  // namespace ddpm
