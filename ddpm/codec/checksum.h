// Check sums of compressed files.
#pragma once

#include <cstdint>
#include <string_view>

namespace ddpm {

/// CRC-32C (Castagnoli; RFC 3720, B.4); "123456789" gives e3069283.
std::uint32_t crc32c(std::string_view bytes);

/// CRC-8/AUTOSAR (polynomial 2f, start and final xor ff): every error of up to 3 bits in 14 bytes
/// is seen. "123456789" gives df.
std::uint8_t crc8(std::string_view bytes);

}  // namespace ddpm
