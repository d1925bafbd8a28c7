#include "ddpm/diffusion/time_line.h"

#include <algorithm>

#include "ddpm/base/error.h"
#include "ddpm/base/exact.h"

namespace ddpm {
namespace {

// The harmonic mean keeps the cubic monotone between two falling pieces.
double slope_between(double before, double after) { return 2 * before * after / (before + after); }

// At an end: that of the parabola through three points, not beyond 0.
double slope_at_end(double nearest, double next) { return std::min((3 * nearest - next) / 2, 0.0); }

}  // namespace

TimeLine::TimeLine(const Schedule& schedule) {
  log_alpha_bar_.push_back(0);
  for (int t = 1; t <= schedule.T() && schedule.alpha_bar(t) > 0; ++t) {
    const double noise = schedule.one_minus_alpha_bar(t);  // has alpha_bar's digits where it is ~1
    log_alpha_bar_.push_back(noise < 0.5 ? exact::log1p(-noise)
                                         : exact::log(schedule.alpha_bar(t)));
  }
  const auto n = log_alpha_bar_.size() - 1;  // pieces
  if (n < 1) {
    throw Error(
        "[diffusion] continuous time: got a schedule whose only step has alpha_bar = 0, expected "
        "alpha_bar > 0; try more steps");
  }
  const auto piece = [&](std::size_t i) { return log_alpha_bar_[i + 1] - log_alpha_bar_[i]; };
  slope_.push_back(n > 1 ? slope_at_end(piece(0), piece(1)) : piece(0));
  for (std::size_t i = 1; i < n; ++i) slope_.push_back(slope_between(piece(i - 1), piece(i)));
  slope_.push_back(n > 1 ? slope_at_end(piece(n - 1), piece(n - 2)) : piece(0));
}

double TimeLine::log_alpha_bar(double t) const {
  DDPM_CHECK(0 <= t && t <= end(), "t = {}, end = {}", t, end());
  const auto i = std::min(static_cast<std::size_t>(t), log_alpha_bar_.size() - 2);
  const double w = t - static_cast<double>(i), v = 1 - w;
  const double rise = log_alpha_bar_[i + 1] - log_alpha_bar_[i];
  // Hermite's cubic as the value at i plus terms that vanish there.
  return log_alpha_bar_[i] + rise * w * w * (3 - 2 * w) + slope_[i] * w * v * v -
         slope_[i + 1] * w * w * v;
}

double TimeLine::beta(double t) const {
  DDPM_CHECK(0 <= t && t <= end(), "t = {}, end = {}", t, end());
  const auto i = std::min(static_cast<std::size_t>(t), log_alpha_bar_.size() - 2);
  const double w = t - static_cast<double>(i), v = 1 - w;
  const double rise = log_alpha_bar_[i + 1] - log_alpha_bar_[i];
  return -(6 * rise * w * v + slope_[i] * v * (1 - 3 * w) + slope_[i + 1] * w * (3 * w - 2));
}

double TimeLine::alpha_bar(double t) const { return exact::exp(log_alpha_bar(t)); }

double TimeLine::one_minus_alpha_bar(double t) const { return -exact::expm1(log_alpha_bar(t)); }

double TimeLine::log_snr_slope(double t) const { return -beta(t) / one_minus_alpha_bar(t); }

}  // namespace ddpm
