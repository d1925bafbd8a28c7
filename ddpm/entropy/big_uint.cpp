#include "ddpm/entropy/big_uint.h"

#include <algorithm>
#include <bit>
#include <numbers>

#include "ddpm/base/error.h"
#include "ddpm/base/exact.h"

namespace ddpm {

BigUint::BigUint(std::uint32_t value) {
  if (value != 0) limbs_.push_back(value);
}

void BigUint::trim() {
  while (!limbs_.empty() && limbs_.back() == 0) limbs_.pop_back();
}

int BigUint::bit_length() const {
  if (limbs_.empty()) return 0;
  return static_cast<int>(limbs_.size() - 1) * 32 + static_cast<int>(std::bit_width(limbs_.back()));
}

void BigUint::set_limb(std::size_t i, std::uint32_t value) {
  if (i >= limbs_.size()) limbs_.resize(i + 1);
  limbs_[i] = value;
  trim();
}

BigUint& BigUint::operator*=(std::uint32_t factor) {
  std::uint64_t carry = 0;
  for (std::uint32_t& limb : limbs_) {
    carry += std::uint64_t{limb} * factor;
    limb = static_cast<std::uint32_t>(carry);
    carry >>= 32;
  }
  if (carry != 0) limbs_.push_back(static_cast<std::uint32_t>(carry));
  trim();
  return *this;
}

BigUint& BigUint::operator/=(std::uint32_t divisor) {
  DDPM_CHECK(divisor >= 1);
  std::uint64_t rest = 0;
  for (std::size_t i = limbs_.size(); i-- > 0;) {
    rest = rest << 32 | limbs_[i];
    limbs_[i] = static_cast<std::uint32_t>(rest / divisor);
    rest %= divisor;
  }
  trim();
  return *this;
}

BigUint& BigUint::operator+=(const BigUint& other) {
  limbs_.resize(std::max(limbs_.size(), other.limbs_.size()) + 1);
  std::uint64_t carry = 0;
  for (std::size_t i = 0; i < limbs_.size(); ++i) {
    carry += std::uint64_t{limbs_[i]} + other.limb(i);
    limbs_[i] = static_cast<std::uint32_t>(carry);
    carry >>= 32;
  }
  trim();
  return *this;
}

BigUint& BigUint::operator-=(const BigUint& other) {
  DDPM_CHECK(*this >= other);
  std::uint64_t borrow = 0;
  for (std::size_t i = 0; i < limbs_.size(); ++i) {
    const std::uint64_t difference = std::uint64_t{limbs_[i]} - other.limb(i) - borrow;
    limbs_[i] = static_cast<std::uint32_t>(difference);
    borrow = difference >> 63;
  }
  trim();
  return *this;
}

std::strong_ordering BigUint::operator<=>(const BigUint& other) const {
  if (const auto order = limbs_.size() <=> other.limbs_.size(); order != 0) return order;
  return std::lexicographical_compare_three_way(limbs_.rbegin(), limbs_.rend(),
                                                other.limbs_.rbegin(), other.limbs_.rend());
}

double BigUint::binary_log() const {
  DDPM_CHECK(!is_zero());
  const std::size_t n = limbs_.size();
  const auto from_top = [&](std::size_t i) { return i <= n ? limb(n - i) * 1.0 : 0.0; };
  const double head = from_top(1) + (from_top(2) + from_top(3) * 0x1p-32) * 0x1p-32;
  return exact::log(head) * std::numbers::log2e + 32.0 * static_cast<double>(n - 1);
}

// The product of the first i factors is (n - k + i) over i: every division is exact.
BigUint binomial(std::uint32_t n, std::uint32_t k) {
  if (k > n) return {};
  BigUint value(1);
  for (std::uint32_t i = 1; i <= k; ++i) {
    value *= n - k + i;
    value /= i;
  }
  return value;
}

}  // namespace ddpm
