#include "ddpm/entropy/subset_code.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "ddpm/base/exact.h"
#include "ddpm/entropy/big_uint.h"

namespace ddpm {
namespace {

void check_sizes(std::uint32_t n, std::uint32_t m) {
  DDPM_CHECK(n <= kMaxSubsetItems && m <= n && m <= kMaxSubsetSize, "{} of {}", m, n);
}

// Bits of the largest number below `count`, count >= 1.
int bits_below(BigUint count) {
  count -= BigUint(1);
  return count.bit_length();
}

// c over i and c, kept together while c moves in steps of one.
struct Column {
  std::uint32_t c, i;
  BigUint value;

  void up() {
    value *= c + 1;
    value /= c + 1 - i;
    ++c;
  }
  void down() {
    value *= c - i;
    value /= c;
    --c;
  }
};

// About where c over i reaches `number`: i! (c over i) is nearly (c - (i - 1) / 2)^i. Only a guess:
// the caller corrects it exactly.
std::uint32_t guess(const BigUint& number, std::uint32_t i, double log2_factorial, double most) {
  const double root = exact::exp((number.binary_log() + log2_factorial) / i * std::numbers::ln2);
  const double c = std::floor(root + (i - 1) / 2.0);
  return static_cast<std::uint32_t>(std::clamp(c, i * 1.0, most));
}

// The largest c <= most with (c over i) <= number, and that binomial; number >= 1, most >= i.
Column largest(const BigUint& number, std::uint32_t i, double log2_factorial, std::uint32_t most) {
  Column column{guess(number, i, log2_factorial, most), i, {}};
  column.value = binomial(column.c, i);
  while (column.value > number) column.down();
  while (column.c < most) {
    Column next = column;
    next.up();
    if (next.value > number) break;
    column = std::move(next);
  }
  return column;
}

std::vector<double> log2_factorials(std::uint32_t m) {
  std::vector<double> values(m + 1);
  for (std::uint32_t i = 1; i <= m; ++i)
    values[i] = values[i - 1] + exact::log(i) * std::numbers::log2e;
  return values;
}

}  // namespace

int subset_bits(std::uint32_t n, std::uint32_t m) {
  check_sizes(n, m);
  return bits_below(binomial(n, m));
}

// The number of {c_1 < ... < c_m} is the sum of (c_i over i).
void put_subset(std::uint32_t n, std::span<const std::uint32_t> subset, BitWriter& writer) {
  const auto m = static_cast<std::uint32_t>(subset.size());
  check_sizes(n, m);
  BigUint number;
  for (std::uint32_t i = 0; i < m; ++i) {
    DDPM_CHECK(subset[i] < n && (i == 0 || subset[i - 1] < subset[i]), "item {}", subset[i]);
    number += binomial(subset[i], i + 1);
  }
  const int bits = subset_bits(n, m);
  for (int done = 0; done < bits; done += 32) {
    writer.put(number.limb(done / 32), std::min(32, bits - done));
  }
}

Result<std::vector<std::uint32_t>> take_subset(std::uint32_t n, std::uint32_t m,
                                               BitReader& reader) {
  check_sizes(n, m);
  const BigUint count = binomial(n, m);
  const int bits = bits_below(count);
  BigUint number;
  for (int done = 0; done < bits; done += 32) {
    auto limb = reader.take(std::min(32, bits - done));
    if (!limb) return tl::unexpected(std::move(limb).error());
    number.set_limb(done / 32, static_cast<std::uint32_t>(*limb));
  }
  if (number >= count) {
    return fail(FailureCode::corrupt,
                "[entropy] subset: got a number that no subset of {} in {} items has", m, n);
  }
  const std::vector<double> log2_factorial = log2_factorials(m);
  std::vector<std::uint32_t> subset(m);
  std::uint32_t most = n - 1;
  for (std::uint32_t i = m; i > 0; --i) {
    // (i - 1 over i) is 0: what is left is 0, 1, .., i - 1.
    Column column{i - 1, i, {}};
    if (!number.is_zero()) column = largest(number, i, log2_factorial[i], most);
    number -= column.value;
    subset[i - 1] = column.c;
    most = column.c - 1;
  }
  return subset;
}

}  // namespace ddpm
