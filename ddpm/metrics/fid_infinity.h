// The Frechet distance of infinitely many images (Chong & Forsyth 2020, arXiv:1911.07023).
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "ddpm/base/thread_pool.h"
#include "ddpm/metrics/features.h"
#include "ddpm/metrics/fid_error.h"
#include "ddpm/metrics/statistics.h"

namespace ddpm {

/// A line through the distances of subsets against 1 / n, and its value at 0.
struct FrechetAtInfinity {
  double value = 0, slope = 0;
  /// What other images would change, from the influences of those that were drawn; where these are
  /// not known, the scatter about the line alone, which is less than half of it: subsets overlap.
  double standard_error = 0;
  std::vector<int> sizes;
  std::vector<double> distances;
};

/// Subsets of `generated` (Philox, `seed`) of 15 sizes from min(5000, N / 10) to N, as dgm-eval
/// takes them; `influences` of the whole sets. Throws Error (bad_input) for fewer than 20 images.
FrechetAtInfinity frechet_at_infinity(const Features& generated, const Statistics& reference,
                                      std::uint64_t seed, ThreadPool& pool,
                                      const std::optional<InfluenceVariance>& influences = {});

inline constexpr int kMinAtInfinity = 20;

}  // namespace ddpm
