// Frechet distance between two normal distributions of features (Heusel et al. 2017,
// arXiv:1706.08500): FID when the features are Inception's, sFID (Nash et al. 2021) when they are
// its spatial ones.
#pragma once

#include <vector>

#include "ddpm/base/thread_pool.h"
#include "ddpm/metrics/factor.h"
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

/// The same with b's factor at hand, where one reference stands against many.
FrechetDistance frechet_distance(const Statistics& a, const Statistics& b, const Factor& of_b,
                                 ThreadPool& pool);

/// |mu_1 - mu_2|^2 in float32, as torch-fidelity has it.
double float32_mean_term(const std::vector<double>& a, const std::vector<double>& b);

}  // namespace ddpm
