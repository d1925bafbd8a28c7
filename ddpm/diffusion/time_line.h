// The forward process in continuous time, through the points of a discrete schedule.
#pragma once

#include <vector>

#include "ddpm/diffusion/schedule.h"

namespace ddpm {

/// log alpha_bar(t) for real t, once differentiable: a monotone cubic through the schedule's values
/// (Fritsch & Butland 1984). dx = -beta(t)/2 x dt + sqrt(beta(t)) dw then has its marginals at
/// whole t (variance-preserving SDE, Song et al. 2021). Time is the paper's; networks are fed t
/// - 1.
class TimeLine {
 public:
  explicit TimeLine(const Schedule& schedule);

  /// T, or T - 1 when alpha_bar(T) == 0: log SNR must be finite.
  double end() const { return static_cast<double>(log_alpha_bar_.size()) - 1; }

  // t in [0, end()] (BugError otherwise).
  double log_alpha_bar(double t) const;
  double beta(double t) const;  // -d log alpha_bar / dt, per step of the schedule
  double alpha_bar(double t) const;
  double one_minus_alpha_bar(double t) const;  // without cancellation
  double log_snr_slope(double t) const;        // d log SNR / dt = -beta / (1 - alpha_bar), t > 0

 private:
  std::vector<double> log_alpha_bar_;  // at 0, 1, ...
  std::vector<double> slope_;
};

}  // namespace ddpm
