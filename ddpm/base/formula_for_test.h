// For tests: numbers made of a hash, the same in every language (tests/golden/metrics/make.py).
#pragma once

#include <cstdint>
#include <string_view>

namespace ddpm {

inline std::uint32_t formula_hash(std::uint32_t seed, std::uint32_t i) {
  std::uint32_t x = seed + i * 0x9E3779B9U;
  x ^= x >> 16;
  x *= 0x7FEB352DU;
  x ^= x >> 15;
  x *= 0x846CA68BU;
  return x ^ x >> 16;
}

/// In [-1, 1), exact in float.
inline float formula_value(std::uint32_t seed, std::uint32_t i) {
  return static_cast<float>((static_cast<int>(formula_hash(seed, i) >> 8) - (1 << 23)) * 0x1p-23);
}

/// In [0, 1), exact in float.
inline float formula_unit(std::uint32_t seed, std::uint32_t i) {
  return static_cast<float>((formula_hash(seed, i) >> 8) * 0x1p-24);
}

/// FNV-1a: the seed of a tensor by its name.
inline std::uint32_t formula_seed(std::string_view name) {
  std::uint32_t x = 0x811C9DC5U;
  for (const char c : name) x = (x ^ static_cast<unsigned char>(c)) * 0x01000193U;
  return x;
}

}  // namespace ddpm
