// Scores from nearest neighbours: precision and recall (Kynkaanniemi et al. 2019,
// arXiv:1904.06991), density and coverage (Naeem et al. 2020, arXiv:2002.09797). In blocks: memory
// grows with N, not with N^2.
#pragma once

#include <span>
#include <vector>

#include "ddpm/base/thread_pool.h"
#include "ddpm/metrics/features.h"

namespace ddpm {

/// What squared distances |u|^2 + |v|^2 - 2 u v are rounded to.
enum class DistanceType {
  float64,
  float32,  // torch-fidelity, kynkaat: products and sums are float32, unless a set is of doubles
  float16,  // guided-diffusion: float16, and float32 where any distance is not finite
};

struct NeighbourOptions {
  int k = 3;  // the radius of a point is the distance to its k-th neighbour, itself excluded
  bool strict = false;  // within means < (dgm-eval's prdc), else <=
  DistanceType type = DistanceType::float64;
};

/// A share of points (density: a mean count) and its standard error over the points that vote.
struct Share {
  double value = 0, standard_error = 0;
};

struct NeighbourScores {
  Share precision, recall, density, coverage;
  std::vector<double> generated_radii, reference_radii;
};

/// Counts do not depend on the order of rows or on threads. Throws Error: dimensions differ
/// (bad_input); a set has no more than k images (usage).
NeighbourScores neighbour_scores(const Features& generated, const Features& reference,
                                 const NeighbourOptions& options, ThreadPool& pool);

/// The scores of several options, from the same distances: all of one type (BugError).
std::vector<NeighbourScores> all_neighbour_scores(const Features& generated,
                                                  const Features& reference,
                                                  std::span<const NeighbourOptions> options,
                                                  ThreadPool& pool);

}  // namespace ddpm
