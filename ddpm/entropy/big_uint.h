// Whole numbers of any size, with what counting subsets needs of them.
#pragma once

#include <compare>
#include <cstdint>
#include <vector>

namespace ddpm {

/// A number >= 0 in limbs of 32 bits, lowest first, none of the highest 0.
class BigUint {
 public:
  BigUint() = default;
  explicit BigUint(std::uint32_t value);

  bool is_zero() const { return limbs_.empty(); }
  int bit_length() const;  // 0 for 0
  std::uint32_t limb(std::size_t i) const { return i < limbs_.size() ? limbs_[i] : 0; }

  /// Sets limb i; for numbers read from a stream.
  void set_limb(std::size_t i, std::uint32_t value);

  BigUint& operator*=(std::uint32_t factor);
  /// Quotient rounded down; divisor >= 1.
  BigUint& operator/=(std::uint32_t divisor);
  BigUint& operator+=(const BigUint& other);
  /// other <= *this, or BugError.
  BigUint& operator-=(const BigUint& other);

  std::strong_ordering operator<=>(const BigUint& other) const;
  bool operator==(const BigUint& other) const = default;

  /// log2 to about 50 bits; the number is not 0.
  double binary_log() const;

 private:
  void trim();

  std::vector<std::uint32_t> limbs_;
};

/// n over k; 0 when k > n.
BigUint binomial(std::uint32_t n, std::uint32_t k);

}  // namespace ddpm
