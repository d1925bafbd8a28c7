// A prefix code for 1..2^c that follow a power law.
#pragma once

#include <cstdint>
#include <vector>

#include "ddpm/entropy/bits.h"

namespace ddpm {

/// P(k) ~ k^-(1 + decay). Huffman's code of the power of two that k starts, then k's lower bits.
class ZipfCode {
 public:
  /// k is 1..2^bits, bits 0..30; decay > 0.
  ZipfCode(int bits, double decay);

  void put(std::uint32_t k, BitWriter& writer) const;

  /// need_more when the bits end; corrupt when they start no k.
  Result<std::uint32_t> take(BitReader& reader) const;

 private:
  int bits_;
  std::vector<int> lengths_;          // [bits + 1] of the code of each power of two
  std::vector<std::uint32_t> codes_;  // first bit lowest
};

}  // namespace ddpm
