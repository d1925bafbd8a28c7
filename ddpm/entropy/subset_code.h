// Enumerative coding of subsets: the combinatorial number system (Cover 1973, "Enumerative source
// encoding"). Every m-subset of 0..n-1 has a number below n over m, and costs the same bits.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "ddpm/entropy/bits.h"

namespace ddpm {

/// Bounds of what the functions below take: time grows as m^2 times the bits of the number.
inline constexpr std::uint32_t kMaxSubsetItems = 1U << 24, kMaxSubsetSize = 1024;

/// ceil(log2(n over m)), m <= n.
int subset_bits(std::uint32_t n, std::uint32_t m);

/// Appends the number of the subset, subset_bits(n, subset.size()) bits, lowest first. `subset`
/// increases strictly and is below n.
void put_subset(std::uint32_t n, std::span<const std::uint32_t> subset, BitWriter& writer);

/// The subset, increasing. need_more: bits are lacking; corrupt: the number is not below n over m.
Result<std::vector<std::uint32_t>> take_subset(std::uint32_t n, std::uint32_t m, BitReader& reader);

}  // namespace ddpm
