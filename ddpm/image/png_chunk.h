// Chunks of a PNG (third edition, section 5.3): length, type, data, CRC of type and data.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "ddpm/base/result.h"

namespace ddpm {

inline constexpr std::size_t kPngSignature = 8;  // bytes before the first chunk

struct PngChunk {
  std::string_view type, data;
};

/// Takes a chunk off the front of `rest`. Failure: need_more (cut short) or corrupt (its CRC).
Result<PngChunk> next_png_chunk(std::string_view& rest, const std::string& name);

/// The chunk as bytes.
std::string png_chunk(std::string_view type, std::string_view data);

/// Four bytes, the highest first.
std::string png_number(std::uint32_t value);

}  // namespace ddpm
