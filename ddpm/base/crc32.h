#pragma once

#include <cstdint>
#include <string_view>

namespace ddpm {

/// CRC-32 (ISO 3309) of more bytes, going on from `crc`; 0 to begin with. "123456789" gives
/// cbf43926.
std::uint32_t crc32_of(std::string_view bytes, std::uint32_t crc = 0);

}  // namespace ddpm
