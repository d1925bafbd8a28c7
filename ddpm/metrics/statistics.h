// Mean and covariance of features, and the files that keep them.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "ddpm/base/thread_pool.h"
#include "ddpm/data/npy.h"
#include "ddpm/metrics/features.h"
#include "ddpm/metrics/matrix.h"

namespace ddpm {

struct Statistics {
  std::vector<double> mean;   // [d]
  Matrix covariance;          // [d, d], divided by N - 1
  std::int64_t count = 0;     // N; 0 when the file does not say
  bool float32_mean = false;  // the mean's values are float32's

  int dims() const { return static_cast<int>(mean.size()); }
  bool operator==(const Statistics&) const = default;
};

/// In double, rows in their canonical order and in two passes (mean, then centred products): the
/// same bits for any order of rows, shards put together and threads. Throws Error (bad_input) for
/// fewer than two rows.
Statistics statistics(const Features& features, ThreadPool& pool);

/// The mean as NumPy takes it of a float32 array: rows added one by one in float, then divided.
/// Depends on the order of rows.
std::vector<double> float32_mean(const Features& features);

/// pytorch-fid's layout: `mu` [d] and `sigma` [d, d] as float64 (`mu` as float32 where its values
/// are); we add `n`, which others ignore.
std::map<std::string, NpyArray> to_arrays(const Statistics& statistics);

/// The reverse; `n` may be missing. Keys are `mu` + suffix and `sigma` + suffix: guided-diffusion's
/// spatial statistics have the suffix `_s`. None when neither is there. Throws Error (bad_input)
/// for wrong shapes, values that are not finite and a sigma that is not symmetric.
std::optional<Statistics> from_arrays(const std::map<std::string, NpyArray>& arrays,
                                      const std::string& name, const std::string& suffix = "");

}  // namespace ddpm
