#include "ddpm/codec/walsh.h"

#include <gtest/gtest.h>

#include <bit>
#include <cstdlib>
#include <vector>

#include "ddpm/base/error.h"
#include "ddpm/base/philox.h"

namespace ddpm {
namespace {

// In -1000..1000.
std::vector<std::int32_t> values(std::size_t n) {
  std::vector<std::int32_t> x(n);
  for (std::uint32_t i = 0; i < n; ++i) x[i] = static_cast<int>(uniform_below({}, 2001, i)) - 1000;
  return x;
}

TEST(WalshHadamard, IsItsDefinition) {
  for (const std::size_t n : {32U, 64U, 128U, 256U, 512U, 1024U}) {
    const std::vector<std::int32_t> x = values(n);
    std::vector<std::int32_t> y = x;
    walsh_hadamard(y);
    for (std::uint32_t i = 0; i < n; ++i) {
      std::int32_t sum = 0;
      for (std::uint32_t k = 0; k < n; ++k) sum += std::popcount(i & k) % 2 ? -x[k] : x[k];
      ASSERT_EQ(y[i], sum) << n << " " << i;
    }
  }
}

TEST(WalshHadamard, TwiceIsTheSizeTimes) {
  std::vector<std::int32_t> x(4096);
  for (std::uint32_t i = 0; i < x.size(); ++i) x[i] = static_cast<int>(i % 37) - 18;
  std::vector<std::int32_t> y = x;
  walsh_hadamard(y);
  walsh_hadamard(y);
  for (std::size_t i = 0; i < x.size(); ++i) ASSERT_EQ(y[i], 4096 * x[i]);
}

TEST(WalshHadamard, OtherSizesAreBugs) {
  std::vector<std::int32_t> x(48);
  EXPECT_THROW(walsh_hadamard(x), BugError);
  EXPECT_THROW(walsh_hadamard(std::span(x).first(16)), BugError);
}

TEST(FlipSigns, FollowsTheBits) {
  const std::vector<std::int32_t> x = values(96);
  const std::vector<std::uint32_t> signs = {0x80000001, 0xdeadbeef, 0};
  std::vector<std::int32_t> y = x;
  flip_signs(signs, y);
  for (std::size_t i = 0; i < x.size(); ++i) {
    ASSERT_EQ(y[i], signs[i / 32] >> i % 32 & 1 ? -x[i] : x[i]) << i;
  }
}

TEST(WalshHadamard, OfSignedNumbersIsBothInTurn) {
  for (const std::size_t n : {32U, 256U, 2048U}) {
    const std::vector<std::int32_t> x = values(n);
    std::vector<std::uint32_t> signs(n / 32);
    for (std::uint32_t i = 0; i < signs.size(); ++i) signs[i] = 0x9e3779b9U * (i + 1);
    std::vector<std::int32_t> expected = x, y(n);
    flip_signs(signs, expected);
    walsh_hadamard(expected);
    signed_walsh_hadamard(signs, x, y);
    EXPECT_EQ(y, expected) << n;
    y = x;
    signed_walsh_hadamard(signs, y, y);
    EXPECT_EQ(y, expected) << n;
    EXPECT_THROW(signed_walsh_hadamard(std::span(signs).first(n / 64), x, y), BugError);
  }
}

TEST(NextNear, FindsAllInOrder) {
  const std::vector<std::int32_t> x = values(256);
  for (const std::int32_t target : {0, 500, 900, 5000}) {
    for (const std::int32_t most : {0, 20, 4100, 2147483647}) {
      std::vector<std::size_t> expected, found;
      for (std::size_t i = 0; i < x.size(); ++i) {
        if (std::abs(std::abs(x[i]) - target) <= most) expected.push_back(i);
      }
      for (std::size_t i = 0; (i = next_near(x, i, target, most)) < x.size(); ++i) {
        found.push_back(i);
      }
      EXPECT_EQ(found, expected) << target << " " << most;
    }
  }
}

}  // namespace
}  // namespace ddpm
