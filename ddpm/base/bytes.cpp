#include "ddpm/base/bytes.h"

#include "ddpm/base/error.h"

namespace ddpm {

std::uint64_t little_endian(std::string_view bytes) {
  DDPM_CHECK(bytes.size() <= 8, "{}", bytes.size());
  std::uint64_t value = 0;
  for (std::size_t i = bytes.size(); i-- > 0;) {
    value = value << 8 | static_cast<unsigned char>(bytes[i]);
  }
  return value;
}

std::uint64_t big_endian(std::string_view bytes) {
  DDPM_CHECK(bytes.size() <= 8, "{}", bytes.size());
  std::uint64_t value = 0;
  for (const char c : bytes) value = value << 8 | static_cast<unsigned char>(c);
  return value;
}

void append_little_endian(std::string& out, std::uint64_t value, int size) {
  for (int i = 0; i < size; ++i) out += static_cast<char>(value >> 8 * i & 255);
}

void append_big_endian(std::string& out, std::uint64_t value, int size) {
  for (int i = size; i-- > 0;) out += static_cast<char>(value >> 8 * i & 255);
}

}  // namespace ddpm
