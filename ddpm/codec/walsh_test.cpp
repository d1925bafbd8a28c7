#include "ddpm/codec/walsh.h"

#include <gtest/gtest.h>

#include <bit>
#include <vector>

#include "ddpm/base/error.h"
#include "ddpm/base/philox.h"

namespace ddpm {
namespace {

TEST(WalshHadamard, IsItsDefinition) {
  for (const std::size_t n : {8U, 16U, 64U, 512U}) {
    std::vector<std::int32_t> x(n);
    for (std::uint32_t i = 0; i < n; ++i)
      x[i] = static_cast<int>(uniform_below({}, 2001, i)) - 1000;
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
  std::vector<std::int32_t> x(12);
  EXPECT_THROW(walsh_hadamard(x), BugError);
  EXPECT_THROW(walsh_hadamard(std::span(x).first(4)), BugError);
}

}  // namespace
}  // namespace ddpm
