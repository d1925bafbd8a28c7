// Means over images and what they are known to.
#pragma once

#include <cmath>
#include <span>

namespace ddpm {

struct MeanError {
  double mean = 0;
  double standard_error = NAN;  // of the mean over independent images; NaN for one image
};

/// Summed in order; the deviation in a second pass, so that nothing cancels.
inline MeanError mean_and_error(std::span<const double> values) {
  const auto n = static_cast<double>(values.size());
  MeanError result;
  for (const double value : values) result.mean += value / n;
  if (values.size() < 2) return result;
  double square = 0;
  for (const double value : values) square += (value - result.mean) * (value - result.mean);
  result.standard_error = std::sqrt(square / (n - 1) / n);
  return result;
}

}  // namespace ddpm
