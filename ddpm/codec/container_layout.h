// What reader and writer of the container share.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "ddpm/codec/container.h"

namespace ddpm::container {

inline constexpr std::string_view kMagic = "DDPC";
inline constexpr unsigned kShortLayout = 1, kLongLayout = 2;  // no flipped bit makes one the other
inline constexpr std::size_t kShortHeader = 8;
inline constexpr std::uint32_t kShortNumerics = 2;  // what a short header implies, for ever

// Byte 4: layout | mode << 5.
inline constexpr unsigned kLayoutBits = 31;
inline constexpr int kModeShift = 5;

// Byte 5 of the long header.
inline constexpr unsigned kTransmitterBits = 3, kOwnSizes = 1U << 2, kTileIsSize = 1U << 3,
                          kUnusedFlags = 0xf0;

inline constexpr std::uint32_t kMaxSide = 1U << 20;
inline constexpr std::uint64_t kMaxItems = std::uint64_t{1} << 44;  // NoiseKey's

/// Appends a number in little-endian base 128: the highest bit of a byte says that another follows.
void put_varint(std::string& out, std::uint64_t value);

/// 0 unless the fields are within the bounds above and fit one another; else what is wrong.
const char* contradiction(const Container& container);

/// Whether a short header says all that the fields say.
bool fits_short(const Container& container);

}  // namespace ddpm::container
