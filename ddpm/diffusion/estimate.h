// An unbiased estimate of the bound from a few of its terms.
#pragma once

#include <vector>

#include "ddpm/diffusion/schedule.h"

namespace ddpm {

/// A term to measure: weight * L_{t-1} is its part of the estimate.
struct EstimateTerm {
  int t;
  double weight;
};

/// Draws t in 2..T with a density that is high where terms are likely to be large: half by the drop
/// of log(1 + SNR) at t (twice the information of data of unit variance), 0.4 by the root of the
/// drop of SNR, 0.1 uniform, so that no weight exceeds 10 (T - 1) / K. The K draws are the
/// quantiles (k + u) / K, antithetic: for u uniform in [0, 1), E sum weight f(t) is the sum of f
/// over 2..T.
class EstimateTimes {
 public:
  /// Throws Error unless T >= 2 and K >= 1.
  EstimateTimes(const Schedule& schedule, int K);

  /// At most K terms, t increasing; a t that was drawn twice weighs twice. u in [0, 1).
  std::vector<EstimateTerm> draw(double u) const;

 private:
  int K_;
  std::vector<double> density_;  // of t at t - 2; sums to 1
};

}  // namespace ddpm
