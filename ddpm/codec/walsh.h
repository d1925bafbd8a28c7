// The Walsh-Hadamard transform in integers: exact, so the same everywhere.
#pragma once

#include <cstdint>
#include <span>

namespace ddpm {

/// x[i] becomes sum_k (-1)^popcount(i & k) x[k]. The size is a power of two, at least 8; no sum of
/// the magnitudes may reach 2^31.
void walsh_hadamard(std::span<std::int32_t> x);

}  // namespace ddpm
