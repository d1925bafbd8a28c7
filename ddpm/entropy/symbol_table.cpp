#include "ddpm/entropy/symbol_table.h"

#include <algorithm>
#include <bit>
#include <numeric>

namespace ddpm {

std::vector<std::uint32_t> interval_sizes(std::span<const std::uint64_t> weights) {
  DDPM_CHECK(!weights.empty() && weights.size() <= 65536, "{} symbols", weights.size());
  std::uint64_t total = 0;
  for (const std::uint64_t weight : weights) {
    DDPM_CHECK(weight < std::uint64_t{1} << 39, "{}", weight);
    total += weight;
  }
  DDPM_CHECK(0 < total && total < std::uint64_t{1} << 39, "{}", total);
  const std::uint64_t shared = kWhole - weights.size();
  std::vector<std::uint32_t> sizes(weights.size());
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    sizes[i] = static_cast<std::uint32_t>(1 + weights[i] * shared / total);
  }
  // Less than one a symbol is left over; the likeliest symbol feels it least.
  const auto given = std::accumulate(sizes.begin(), sizes.end(), std::uint64_t{0});
  *std::max_element(sizes.begin(), sizes.end()) += static_cast<std::uint32_t>(kWhole - given);
  return sizes;
}

SymbolTable::SymbolTable(std::span<const std::uint32_t> sizes) : first_(kWhole >> kIndexShift) {
  DDPM_CHECK(!sizes.empty() && sizes.size() <= 65536, "{} symbols", sizes.size());
  std::uint32_t start = 0;
  for (const std::uint32_t size : sizes) {
    DDPM_CHECK(1 <= size && size <= kWhole - start, "size {} at {}", size, start);
    intervals_.push_back({start, size});
    steps_.push_back(step_of({start, size}));
    start += size;
  }
  DDPM_CHECK(start == kWhole, "{}", start);
  std::uint16_t symbol = 0;
  for (std::uint32_t i = 0; i < first_.size(); ++i) {
    const std::uint32_t slot = i << kIndexShift;
    while (slot - intervals_[symbol].start >= intervals_[symbol].size) ++symbol;
    first_[i] = symbol;
  }
}

SymbolTable::Step SymbolTable::step_of(Interval s) {
  // A size of kWhole leaves the state alone and must never spill: its limit is out of reach.
  Step step{.limit = std::uint64_t{s.size} << (63 - kPrecision), .rest = kWhole - s.size};
  if (s.size == 1) {  // a 65-bit reciprocal; state - 1 instead of state, mended by the bias
    step.reciprocal = UINT64_MAX;
    step.bias = s.start + kWhole - 1;
    step.shift = 0;
    return step;
  }
  const int ceil_log2 = static_cast<int>(std::bit_width(s.size - 1));
  const auto numerator = (static_cast<unsigned __int128>(1) << (ceil_log2 + 63)) + s.size - 1;
  step.reciprocal = static_cast<std::uint64_t>(numerator / s.size);
  step.shift = ceil_log2 - 1;
  step.bias = s.start;
  return step;
}

}  // namespace ddpm
