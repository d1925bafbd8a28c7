// Features of images: what a network says of each, a row an image.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "ddpm/data/npy.h"

namespace ddpm {

/// rows x dims of float32 or, where a file holds float64, of doubles. All values are finite.
class Features {
 public:
  Features() = default;
  /// `values` has rows * dims numbers. Throws Error (bad_input) that names the row and column of a
  /// NaN or infinity; `name` is for messages.
  Features(int dims, std::vector<float> values, const std::string& name = "features");
  Features(int dims, std::vector<double> values, const std::string& name = "features");

  int rows() const { return rows_; }
  int dims() const { return dims_; }
  bool is_double() const { return !doubles_.empty(); }
  double at(int row, int column) const;

  /// Row i widened to double. out.size() == dims().
  void row(int i, double* out) const;
  /// Rows begin .. end - 1.
  Features slice(int begin, int end) const;
  /// The rows of these numbers, in this order.
  Features select(std::span<const int> rows) const;
  /// The numbers of the rows in an order that depends on the set of rows alone: sums in this order
  /// do not depend on how the rows were arranged.
  std::vector<int> canonical_order() const;

 private:
  void check(const std::string& name);

  int rows_ = 0, dims_ = 0;
  std::vector<float> floats_;
  std::vector<double> doubles_;
};

/// Features from an array [N, d] of float16, float32 or float64. Throws Error (bad_input).
Features to_features(const NpyArray& array, const std::string& name);

/// Rows of parts in their order. All of one width; Error (bad_input) otherwise.
Features concatenate(const std::vector<Features>& parts);

/// Images of shard `index` of `count` (from 0) of n images: [first, last). Shards in their order
/// are the whole. Throws Error unless 0 <= index < count.
struct ShardRange {
  std::int64_t first, last;
};
ShardRange shard_range(std::int64_t n, int index, int count);

}  // namespace ddpm
