// Which image stands where in the order of training, and what is drawn for it. All of it is a
// function of (seed, position), so threads, micro-batches and restarts cannot change it.
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

/// What is drawn for the sample at a position, besides its noise.
struct Draw {
  bool flip;
  int t;  // uniform on 1..T
};
Draw draw_for(std::uint64_t seed, std::uint64_t position, int T, bool flips);

/// The slices of a batch, grouped into micro-batches of at most `micro_batch` images (0 = one slice
/// each). Throws Error when a slice alone is larger.
std::vector<std::vector<int>> micro_batches(int batch, int micro_batch);

}  // namespace ddpm
