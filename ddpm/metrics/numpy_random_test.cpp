#include "ddpm/metrics/numpy_random.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "ddpm/base/error.h"

namespace ddpm {
namespace {

using Ints = std::vector<int>;

Ints head(Ints values, std::size_t n) {
  values.resize(n);
  return values;
}

// All numbers below: NumPy 1.24, RandomState(2020).
TEST(NumpyRandom, DrawsNumPysWords) {
  NumpyRandom random(2020);
  for (const std::uint32_t word : {4236026720U, 639299976U, 3751189827U, 2669525622U}) {
    EXPECT_EQ(random.next(), word);
  }
}

// The C++ standard, [rand.predef]: the 10000th word of MT19937 seeded by 5489.
TEST(NumpyRandom, IsTheStandardsMersenneTwisterBeyondOneRefill) {
  NumpyRandom random(5489);
  for (int i = 1; i < 10000; ++i) random.next();
  EXPECT_EQ(random.next(), 4123659995U);
}

TEST(NumpyRandom, ShufflesAsNumPy) {
  EXPECT_EQ(NumpyRandom(2020).permutation(10), (Ints{2, 4, 9, 1, 5, 7, 6, 3, 8, 0}));
  EXPECT_EQ(head(NumpyRandom(2020).permutation(64), 8), (Ints{12, 49, 42, 52, 13, 37, 33, 53}));
  EXPECT_EQ(head(NumpyRandom(2020).permutation(50000), 6),
            (Ints{24397, 39273, 6546, 13504, 49765, 31361}));
  EXPECT_EQ(NumpyRandom(2020).permutation(1), Ints{0});
  EXPECT_EQ(NumpyRandom(2020).permutation(0), Ints{});
}

TEST(NumpyRandom, ChoosesTheHeadOfAWholeShuffle) {
  NumpyRandom random(2020);
  const Ints first = random.choice(64, 32), second = random.choice(64, 32);
  EXPECT_EQ(head(first, 6), (Ints{12, 49, 42, 52, 13, 37}));
  EXPECT_EQ(head(second, 6), (Ints{17, 4, 59, 42, 48, 8}));
  EXPECT_EQ(first.size(), 32u);
  EXPECT_THROW(random.choice(3, 4), BugError);
}

}  // namespace
}  // namespace ddpm
