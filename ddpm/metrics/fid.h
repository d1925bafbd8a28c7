// Frechet distance between two normal distributions of features (Heusel et al. 2017,
// arXiv:1706.08500): FID when the features are Inception's, sFID (Nash et al. 2021) when they are
// its spatial ones.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "ddpm/base/thread_pool.h"
#include "ddpm/metrics/statistics.h"

namespace ddpm {

/// |mu_1 - mu_2|^2 + tr S_1 + tr S_2 - 2 tr sqrt(S_1 S_2), term by term.
struct FrechetDistance {
  double mean_term = 0, traces = 0, root_trace = 0;
  int rank = 0;      // of the product S_1 S_2; below d when a covariance is singular
  double doubt = 0;  // by how much rounding may move the other programs' answers; 0 at full rank

  double value() const { return mean_term + traces - 2 * root_trace; }
};

/// Symmetric in a and b, bit for bit, and exactly 0 for a == b. Throws Error (bad_input) when
/// dimensions differ or a covariance is none; `names` are for messages.
FrechetDistance frechet_distance(const Statistics& a, const Statistics& b, ThreadPool& pool);

/// |mu_1 - mu_2|^2 in float32, as torch-fidelity has it.
double float32_mean_term(const std::vector<double>& a, const std::vector<double>& b);

/// Standard error of the distance to the first order, from the influence of each image: derivative
/// of the distance by an image's weight, in both sets.
double frechet_standard_error(const Features& a, const Statistics& a_statistics, const Features& b,
                              const Statistics& b_statistics, ThreadPool& pool);

/// A line through the distances of subsets against 1 / n; its value at 0 (Chong & Forsyth 2020,
/// arXiv:1911.07023).
struct FrechetAtInfinity {
  double value = 0, standard_error = 0, slope = 0;
  std::vector<int> sizes;
  std::vector<double> distances;
};

/// Subsets of `generated` (Philox, `seed`) of 15 sizes from min(5000, N / 10) to N, as dgm-eval
/// takes them. Throws Error (bad_input) for fewer than 20 images.
FrechetAtInfinity frechet_at_infinity(const Features& generated, const Statistics& reference,
                                      std::uint64_t seed, ThreadPool& pool);

inline constexpr int kMinAtInfinity = 20;

}  // namespace ddpm
