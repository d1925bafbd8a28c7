// Which t each image of a training batch gets, and what its loss then weighs.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "ddpm/diffusion/schedule.h"

namespace ddpm {

/// weight * loss at t has the mean over uniform t as its expectation, but for log_normal, which
/// means another mean and weighs everything 1.
struct TimeDraw {
  int t;
  double weight;
};

/// Draws are functions of (seed, position) and of the state alone; position = (step - 1) * batch +
/// place in the batch, docs/format.md.
class TimeSampler {
 public:
  virtual ~TimeSampler() = default;

  virtual TimeDraw draw(std::uint64_t seed, std::uint64_t position, int batch) const = 0;

  /// Tells the unweighted losses of a step, in the order of the batch.
  virtual void observe(std::span<const int> times, std::span<const double> losses);

  /// What a checkpoint keeps, and back. restore throws Error (bad_input) for another sampler's.
  virtual std::vector<double> state() const;
  virtual void restore(std::span<const double> state);
};

/// `uniform`; `antithetic` (a batch's times are evenly spaced, moved by one random number: VDM,
/// App. I); `loss_second_moment,history=10,uniform=0.001` (p_t as the root of the mean of the last
/// losses' squares, once every t has `history` of them: Nichol & Dhariwal 2021, Eq. (18); their
/// code's defaults); `log_normal,mean=-1.2,std=1.2` (log of sigma = sqrt((1 - alpha_bar) /
/// alpha_bar) is normal, t the nearest: Karras et al. 2022, Table 1). Throws Error that lists what
/// is known.
std::unique_ptr<TimeSampler> make_time_sampler(const std::string& text, const Schedule& schedule);

}  // namespace ddpm
