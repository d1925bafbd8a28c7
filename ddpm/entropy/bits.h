// Strings of bits in bytes: bit i of the string is bit i % 8 of byte i / 8, and a number is written
// from its lowest bit up (docs/format.md, "Conventions of compressed files").
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "ddpm/base/result.h"

namespace ddpm {

class BitWriter {
 public:
  /// Appends the low `bits` bits of `value`, 0..64 of them; the others must be 0.
  void put(std::uint64_t value, int bits);

  std::size_t bits() const { return bits_; }

  /// What was written, the last byte filled up with zeros.
  const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
  std::size_t bits_ = 0;
};

/// Reads what a BitWriter wrote. `bytes` must outlive it.
class BitReader {
 public:
  explicit BitReader(std::string_view bytes) : bytes_(bytes) {}

  /// The next 0..64 bits; need_more, and nothing read, when fewer are left.
  Result<std::uint64_t> take(int bits);

  std::size_t position() const { return position_; }
  std::size_t left() const { return bytes_.size() * 8 - position_; }

 private:
  std::string_view bytes_;
  std::size_t position_ = 0;
};

}  // namespace ddpm
