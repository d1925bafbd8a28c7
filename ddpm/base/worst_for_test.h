// For tests: how far a function is off, over evenly spaced arguments.
#pragma once

#include <algorithm>
#include <cmath>

namespace ddpm {

/// The largest relative error against a reference in long double, whose zeros are passed over.
template <class F, class G>
double worst_relative(F ours, G reference, double from, double to, int n = 100'000) {
  double worst = 0;
  for (int i = 0; i <= n; ++i) {
    const double x = from + (to - from) * i / n;
    const long double want = reference(static_cast<long double>(x));
    if (want == 0) continue;
    worst = std::max(worst, static_cast<double>(std::abs((ours(x) - want) / want)));
  }
  return worst;
}

}  // namespace ddpm
