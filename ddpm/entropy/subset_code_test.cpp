#include "ddpm/entropy/subset_code.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cmath>
#include <set>

#include "ddpm/entropy/big_uint.h"

namespace ddpm {
namespace {

using Subset = std::vector<std::uint32_t>;

std::string written(std::uint32_t n, const Subset& subset) {
  BitWriter writer;
  put_subset(n, subset, writer);
  return writer.bytes();
}

TEST(BigUint, BinomialsAreThoseOfPascalsTriangle) {
  std::vector<BigUint> row = {BigUint(1)};
  for (std::uint32_t n = 1; n <= 150; ++n) {
    std::vector<BigUint> next(n + 1, BigUint(1));
    for (std::uint32_t k = 1; k < n; ++k) (next[k] = row[k]) += row[k - 1];
    row = next;
  }
  for (std::uint32_t k = 0; k <= 150; ++k) EXPECT_EQ(binomial(150, k), row[k]) << k;
  EXPECT_TRUE(binomial(3, 4).is_zero());
  // lgamma's and log2's own roundings: 12 digits.
  const double log2 = (std::lgamma(65537) - std::lgamma(301) - std::lgamma(65237)) / std::log(2);
  EXPECT_NEAR(binomial(65536, 300).binary_log(), log2, 1e-12 * 65536 * 16);
}

TEST(BigUint, SubtractionUndoesAdditionAndRefusesToGoBelowZero) {
  BigUint a = binomial(300, 100);
  const BigUint b = binomial(300, 99);
  (a += b) -= b;
  EXPECT_EQ(a, binomial(300, 100));
  EXPECT_LT(b, a);
  EXPECT_THROW(BigUint(1) -= BigUint(2), BugError);
}

// All subsets of 0..9: the numbers are 0, 1, .. without gaps, in colexicographic order.
TEST(SubsetCode, NumbersSubsetsFromZeroUpInColexicographicOrder) {
  for (std::uint32_t m = 0; m <= 10; ++m) {
    const auto count = binomial(10, m).limb(0);
    for (std::uint32_t number = 0; number < count; ++number) {
      BitWriter writer;
      writer.put(number, subset_bits(10, m));
      BitReader reader(writer.bytes());
      const auto subset = take_subset(10, m, reader);
      ASSERT_TRUE(subset) << m << " " << number;
      EXPECT_EQ(written(10, *subset), writer.bytes());
    }
  }
  EXPECT_EQ(written(10, {0, 1, 2}), std::string(1, '\0'));
  EXPECT_EQ(written(10, {0, 1, 3}), "\x01");
  EXPECT_EQ(written(10, {7, 8, 9}), "\x77");  // 119
}

RC_GTEST_PROP(SubsetCode, DecodingUndoesEncoding, ()) {
  const auto n = *rc::gen::inRange<std::uint32_t>(1, *rc::gen::element(20U, 1000U, 262144U));
  const auto items = *rc::gen::container<std::set<std::uint32_t>>(rc::gen::inRange(0U, n));
  const Subset subset(items.begin(), items.end());
  const auto m = static_cast<std::uint32_t>(subset.size());
  const std::string bytes = written(n, subset);
  BitReader reader(bytes);
  RC_ASSERT(take_subset(n, m, reader).value() == subset);
  RC_ASSERT(reader.position() == static_cast<std::size_t>(subset_bits(n, m)));
}

TEST(SubsetCode, LargeAndExtremeSubsetsComeBack) {
  for (const std::uint32_t m : {1U, 2U, 100U, 1024U}) {
    for (const std::uint32_t n : {m, m + 1, 3 * m, 65536U, kMaxSubsetItems}) {
      Subset spread(m), low(m), high(m);
      for (std::uint32_t i = 0; i < m; ++i) {
        low[i] = i, high[i] = n - m + i;
        spread[i] = static_cast<std::uint32_t>(std::uint64_t{i} * n / m);
      }
      if (m == 1024 && n > 65536) continue;  // seconds
      for (const Subset& subset : {spread, low, high}) {
        const std::string bytes = written(n, subset);
        BitReader reader(bytes);
        EXPECT_EQ(take_subset(n, m, reader).value(), subset) << m << " of " << n;
      }
    }
  }
}

TEST(SubsetCode, CostsLessThanOneBitAboveTheLogarithm) {
  for (const std::uint32_t m : {1U, 3U, 17U, 200U}) {
    const double exact = binomial(65536, m).binary_log();
    EXPECT_GE(subset_bits(65536, m), exact - 1e-9);
    EXPECT_LT(subset_bits(65536, m), exact + 1);
  }
  EXPECT_EQ(subset_bits(7, 0), 0);
  EXPECT_EQ(subset_bits(7, 7), 0);
}

TEST(SubsetCode, BadNumbersAndMissingBitsAreTold) {
  BitReader full("\x78");  // 120 = 10 over 3: one too many
  EXPECT_EQ(take_subset(10, 3, full).error().code, FailureCode::corrupt);
  BitReader cut(std::string_view("\x01", 1));
  EXPECT_EQ(take_subset(1000, 3, cut).error().code, FailureCode::need_more);
  BitWriter writer;
  EXPECT_THROW(put_subset(10, Subset{3, 3}, writer), BugError);
  EXPECT_THROW(put_subset(10, Subset{10}, writer), BugError);
}

}  // namespace
}  // namespace ddpm
