// Which image stands where in the order of training: a function of (seed, position), so that
// threads, micro-batches and restarts cannot change it.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

namespace ddpm {

/// An endless walk through the data set: every epoch is a fresh permutation of all images
/// (Fisher-Yates, Philox keyed by (seed, data_order, epoch)).
class DataOrder {
 public:
  /// size: images in the data set, 1..2^32 - 1. Throws Error (bad_input) otherwise.
  DataOrder(std::uint64_t seed, std::size_t size);

  /// The image at a position; position / size is its epoch. Keeps the permutation of one epoch.
  std::size_t at(std::uint64_t position);

 private:
  void shuffle(std::uint32_t epoch);

  std::uint64_t seed_;
  std::vector<std::uint32_t> order_;
  std::optional<std::uint32_t> epoch_;
};

/// The slices of a batch, grouped into micro-batches of at most `micro_batch` images (0 = one slice
/// each). Throws Error when a slice alone is larger.
std::vector<std::vector<int>> micro_batches(int batch, int micro_batch);

}  // namespace ddpm
