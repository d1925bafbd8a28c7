// The ideal progressive code of Sec. 4.3: what receiving x_T, ..., x_t costs, and how far from x_0
// the best guess then is (Figure 5, Table 4).
#pragma once

#include <vector>

#include "ddpm/likelihood/measure.h"

namespace ddpm {

struct RatePoint {
  int reverse_step = 0;  // 1 at x_T, steps() at x_1
  int t = 0;             // of the whole process
  double rate = 0;       // bits per dimension to send x_T, ..., x_t
  double rmse = 0;       // of x0-hat(x_t), on a scale of 0..255
  double psnr = 0;       // 20 log10(255 / rmse), dB
};

/// From x_T to x_1. The report has every term. Throws BugError otherwise.
std::vector<RatePoint> rate_distortion(const BoundReport& report);

}  // namespace ddpm
