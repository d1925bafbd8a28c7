// Continuous schedules: log SNR as a function of time u in [0, 1] (Kingma et al. 2021, "VDM").
#pragma once

#include <span>
#include <string>
#include <vector>

#include "ddpm/diffusion/schedule.h"

namespace ddpm {

/// log SNR(u) = log(alpha_bar / (1 - alpha_bar)), falling and piecewise linear between evenly
/// spaced knots: u = 0 is almost clean, u = 1 almost noise. VDM's gamma is -log SNR.
class LogSnr {
 public:
  /// VDM's fixed schedule, App. H: two knots.
  static LogSnr linear(double max = 13.3, double min = -5);
  /// Throws Error unless there are 2..10^6 finite numbers, each below the one before.
  explicit LogSnr(std::vector<double> knots);

  const std::vector<double>& knots() const { return knots_; }

  // u in [0, 1] (BugError otherwise).
  double operator()(double u) const;
  double slope(double u) const;      // d log SNR / du < 0; at a knot, of the piece after it
  double alpha_bar(double u) const;  // 1 / (1 + e^(-log SNR))

  /// The process with x_t, t = 1..T, at u = (t - 1) / (T - 1): VDM's z_0 is x_1, its z_1 is x_T.
  /// Spec: `logsnr:1000,max=13.3,min=-5` or `logsnr:1000,knots=13/2/-5`.
  Schedule schedule(int T) const;

 private:
  std::vector<double> knots_;
};

/// The log SNR that spreads the measured loss evenly over time, so that uniform t has the least
/// variance (VDM, App. I; the ends do not move, and with them the bound of continuous time).
/// `terms` are L_{t-1}, t = 1..T, measured on `schedule` in any unit; term t > 1 belongs to the
/// interval from log SNR(t - 1) to log SNR(t). `knots` >= 2 numbers. Throws Error (numeric) unless
/// the terms of t > 1 are finite, not negative and not all 0, and alpha_bar(T) > 0.
LogSnr fit_log_snr(const Schedule& schedule, std::span<const double> terms, int knots);

}  // namespace ddpm
