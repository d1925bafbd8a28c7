// Cumulative distributions in integers. The tables are made from exact.h's exp by +, * and rounding
// and so are the same everywhere; what is looked up in them is integer arithmetic.
#pragma once

#include <cstdint>
#include <vector>

namespace ddpm {

/// F(z) of a distribution symmetric about 0, piecewise linear over cells of 2^-8.
class CdfTable {
 public:
  static const CdfTable& normal();    // standard deviation 1
  static const CdfTable& logistic();  // F(z) = 1 / (1 + e^-z): scale 1

  /// 2^32 F(z_q24 / 2^24), within 2^32 * 5e-7; never decreases; at(-z) = 2^32 - at(z).
  std::uint64_t at(std::int64_t z_q24) const {
    return z_q24 < 0 ? kHalf - above_half(-z_q24) : kHalf + above_half(z_q24);
  }

  /// at() is 2^32 from this z on, in units of 1.
  int reach() const { return static_cast<int>(values_.size() >> 8); }

 private:
  static constexpr std::uint64_t kHalf = std::uint64_t{1} << 31;

  explicit CdfTable(const std::vector<double>& above_half);

  std::uint64_t above_half(std::int64_t z_q24) const {
    const auto cell = static_cast<std::size_t>(z_q24 >> 16);
    if (cell + 1 >= values_.size()) return kHalf;
    const std::uint64_t low = values_[cell];
    return low + ((values_[cell + 1] - low) * (z_q24 & 65535) >> 16);
  }

  std::vector<std::uint32_t> values_;  // 2^32 (F(i / 256) - 1/2), 0 to 2^31
};

}  // namespace ddpm
