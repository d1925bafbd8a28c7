// Loops over whole steps in integers, for each instruction set: exact, so the same everywhere.
#pragma once

#include <cstdint>
#include <span>

namespace ddpm {

/// x[i] becomes sum_k (-1)^popcount(i & k) x[k]. The size is a power of two, at least 32; no sum of
/// the magnitudes may reach 2^31.
void walsh_hadamard(std::span<std::int32_t> x);

/// y[i] = sum_k (-1)^popcount(i & k) s_k x[k], where s_k = -1 where bit k % 32 of signs[k / 32] is
/// set, else 1: flip_signs and walsh_hadamard in one go. x and y may be the same. As above.
void signed_walsh_hadamard(std::span<const std::uint32_t> signs, std::span<const std::int32_t> x,
                           std::span<std::int32_t> y);

/// x[i] becomes -x[i] where bit i % 32 of signs[i / 32] is set. The size is a multiple of 32.
void flip_signs(std::span<const std::uint32_t> signs, std::span<std::int32_t> x);

/// The first i >= from with | |x[i]| - target | <= most, or the size, which is a multiple of 32.
/// target >= 0; no x[i] is -2^31.
std::size_t next_near(std::span<const std::int32_t> x, std::size_t from, std::int32_t target,
                      std::int32_t most);

}  // namespace ddpm
