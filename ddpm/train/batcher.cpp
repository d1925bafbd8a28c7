#include "ddpm/train/batcher.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <utility>

#include "ddpm/base/error.h"
#include "ddpm/base/philox.h"
#include "ddpm/engine/engine.h"

namespace ddpm {

DataOrder::DataOrder(std::uint64_t seed, std::size_t size) : seed_(seed) {
  if (size < 1 || size > std::numeric_limits<std::uint32_t>::max()) {
    throw Error(ExitCode::bad_input, "[train] data order: got {} images, expected 1..2^32 - 1",
                size);
  }
  order_.resize(size);
}

std::size_t DataOrder::at(std::uint64_t position) {
  const auto epoch = static_cast<std::uint32_t>(position / order_.size());
  if (epoch_ != epoch) shuffle(epoch);
  return order_[position % order_.size()];
}

// Starts from the identity, not from the last epoch's order: an epoch must not depend on whether
// the ones before it were visited.
void DataOrder::shuffle(std::uint32_t epoch) {
  std::iota(order_.begin(), order_.end(), 0U);
  const NoiseKey key{.seed = seed_, .purpose = Purpose::data_order, .step = epoch};
  for (auto i = static_cast<std::uint32_t>(order_.size()) - 1; i > 0; --i) {
    std::swap(order_[i], order_[uniform_below(key, std::uint64_t{i} + 1, i)]);
  }
  epoch_ = epoch;
}

std::vector<std::vector<int>> micro_batches(int batch, int micro_batch) {
  const std::vector<int> slices = slice_sizes(batch);
  const int largest = *std::max_element(slices.begin(), slices.end());
  const int limit = micro_batch == 0 ? largest : micro_batch;
  if (limit < largest) {
    throw Error("[train] micro_batch: got {}, expected at least a slice of the batch, {}; try {}",
                micro_batch, largest, largest);
  }
  std::vector<std::vector<int>> groups;
  int images = 0;
  for (const int slice : slices) {
    if (groups.empty() || images + slice > limit) {
      groups.emplace_back();
      images = 0;
    }
    groups.back().push_back(slice);
    images += slice;
  }
  return groups;
}

}  // namespace ddpm
