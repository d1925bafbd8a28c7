// Kernel Inception Distance (Binkowski et al. 2018, arXiv:1801.01401): the unbiased estimate of the
// squared maximum mean discrepancy, over subsets.
#pragma once

#include <cstdint>
#include <vector>

#include "ddpm/base/thread_pool.h"
#include "ddpm/metrics/features.h"

namespace ddpm {

enum class KidSampling {
  numpy_subsets,  // torch-fidelity: subsets of each set drawn by one RandomState(seed)
  blocks,         // tfgan: all images, in their order, in blocks of at most subset_size
};

struct KidOptions {
  KidSampling sampling = KidSampling::numpy_subsets;
  int subsets = 100, subset_size = 1000;
  std::uint32_t seed = 2020;
  bool shrink = true;            // a subset size above N becomes N (clean-fid); else it is an error
  bool reference_first = false;  // whose rows are drawn first (clean-fid: the reference's)
  bool float32 = false;          // products of float32 rows (torch-fidelity: everything)
};

struct Kid {
  double mean = 0, deviation = 0;  // over subsets: ddof 0, for blocks ddof 1
  /// Of the mean. Subsets overlap, so from the images' own influences on the estimate, which other
  /// sets of as many images would spread; of several blocks, as tfgan has it, from their deviation.
  double standard_error = 0;
  int subset_size = 0;
  std::vector<double> subsets;
};

/// Kernel (x y / d + 1)^3, in double but for x y, if so chosen. Throws Error: dimensions differ
/// (bad_input); a subset is larger than a set or smaller than 2 (usage).
Kid kernel_distance(const Features& generated, const Features& reference, const KidOptions& options,
                    ThreadPool& pool);

}  // namespace ddpm
