// Numbers as the bytes of files, and ZIP's and PNG's check sum of them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace ddpm {

/// The number that at most 8 bytes are, the lowest first, or the highest.
std::uint64_t little_endian(std::string_view bytes);
std::uint64_t big_endian(std::string_view bytes);

/// Appends the lowest `size` bytes of `value`.
void append_little_endian(std::string& out, std::uint64_t value, int size);
void append_big_endian(std::string& out, std::uint64_t value, int size);

}  // namespace ddpm
