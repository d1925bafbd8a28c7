// How far Frechet distances would move with other images: standard errors of the first order.
#pragma once

#include "ddpm/base/thread_pool.h"
#include "ddpm/metrics/features.h"
#include "ddpm/metrics/statistics.h"

namespace ddpm {

/// Variance of an image's influence: N times the distance's change when an image of set a (of b)
/// counts a little more. The distance's own variance is a / N_a + b / N_b. Where both sets have
/// one distribution it vanishes, and what is left is of second order, like the distance's bias.
struct InfluenceVariance {
  double a = 0, b = 0;
};

/// A set whose features are gone (null) is taken as normal, as the distance itself takes it; then
/// its statistics say all. Throws Error (bad_input) when dimensions differ.
InfluenceVariance influence_variance(const Features* a, const Statistics& a_statistics,
                                     const Features* b, const Statistics& b_statistics,
                                     ThreadPool& pool);

/// sqrt(a / N_a + b / N_b). A set that does not say how many images it has is held fixed.
double frechet_standard_error(const InfluenceVariance& variance, std::int64_t n_a,
                              std::int64_t n_b);

}  // namespace ddpm
