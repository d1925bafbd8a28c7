#include "ddpm/entropy/bits.h"

#include <algorithm>

namespace ddpm {

void BitWriter::put(std::uint64_t value, int bits) {
  DDPM_CHECK(0 <= bits && bits <= 64 && (bits == 64 || value >> bits == 0), "{} in {} bits", value,
             bits);
  while (bits > 0) {
    const int used = static_cast<int>(bits_ % 8);
    if (used == 0) bytes_.push_back(0);
    const int count = std::min(8 - used, bits);
    const auto part = static_cast<unsigned>(value & ((1U << count) - 1));
    bytes_.back() = static_cast<char>(static_cast<unsigned char>(bytes_.back()) | part << used);
    value >>= count;
    bits -= count;
    bits_ += count;
  }
}

Result<std::uint64_t> BitReader::take(int bits) {
  DDPM_CHECK(0 <= bits && bits <= 64, "{}", bits);
  if (static_cast<std::size_t>(bits) > left()) {
    return fail(FailureCode::need_more, "[entropy] bits: got {} left, expected {}", left(), bits);
  }
  std::uint64_t value = 0;
  for (int done = 0; done < bits;) {
    const int used = static_cast<int>(position_ % 8);
    const int count = std::min(8 - used, bits - done);
    const unsigned byte = static_cast<unsigned char>(bytes_[position_ / 8]);
    value |= std::uint64_t{byte >> used & ((1U << count) - 1)} << done;
    done += count;
    position_ += count;
  }
  return value;
}

}  // namespace ddpm
