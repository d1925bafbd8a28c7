#include "ddpm/train/batcher.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <numeric>
#include <vector>

#include "ddpm/base/error.h"

namespace ddpm {
namespace {

RC_GTEST_PROP(DataOrder, EveryEpochIsAPermutation, ()) {
  const auto seed = *rc::gen::arbitrary<std::uint64_t>();
  const auto size = *rc::gen::inRange<std::size_t>(1, 200);
  const auto epoch = *rc::gen::inRange<std::uint64_t>(0, 1000);
  DataOrder order(seed, size);
  std::vector<std::size_t> images, all(size);
  for (std::size_t i = 0; i < size; ++i) images.push_back(order.at(epoch * size + i));
  std::ranges::sort(images);
  std::iota(all.begin(), all.end(), 0);
  RC_ASSERT(images == all);
}

RC_GTEST_PROP(DataOrder, APositionDoesNotDependOnWhatWasAskedBefore, ()) {
  const auto size = *rc::gen::inRange<std::size_t>(1, 50);
  const auto positions =
      *rc::gen::container<std::vector<std::uint64_t>>(rc::gen::inRange<std::uint64_t>(0, 500));
  DataOrder walked(3, size);
  for (const std::uint64_t p : positions) {
    DataOrder fresh(3, size);
    RC_ASSERT(walked.at(p) == fresh.at(p));
  }
}

TEST(DataOrder, EpochsAndSeedsDiffer) {
  DataOrder a(1, 100), b(2, 100);
  int same_epoch = 0, same_seed = 0;
  for (std::uint64_t i = 0; i < 100; ++i) {
    same_epoch += a.at(i) == a.at(100 + i);
    same_seed += a.at(i) == b.at(i);
  }
  // Matches of two random permutations are Poisson(1): more than 8 happen once in a million.
  EXPECT_LE(same_epoch, 8);
  EXPECT_LE(same_seed, 8);
}

// Fisher-Yates makes each of the 6 orders of 3 images equally likely.
TEST(DataOrder, AllOrdersAreEquallyLikely) {
  std::vector<int> counts(27);
  DataOrder order(5, 3);
  constexpr int kEpochs = 6000;
  for (std::uint64_t e = 0; e < kEpochs; ++e) {
    ++counts[order.at(3 * e) + 3 * order.at(3 * e + 1) + 9 * order.at(3 * e + 2)];
  }
  for (const int count : counts) {
    // Expected 1000, standard deviation sqrt(6000 * 1/6 * 5/6) = 29: five of them.
    if (count != 0) {
      EXPECT_NEAR(count, 1000, 145);
    }
  }
  EXPECT_EQ(std::ranges::count_if(counts, [](int c) { return c > 0; }), 6);
}

TEST(DataOrder, NoImagesIsAnError) { EXPECT_THROW(DataOrder(0, 0), Error); }

RC_GTEST_PROP(MicroBatches, HoldEverySliceInOrderAndKeepTheLimit, ()) {
  const int batch = *rc::gen::inRange(1, 300);
  const auto slices = micro_batches(batch, 0);
  int largest = 0;
  for (const auto& group : slices) {
    RC_ASSERT(group.size() == 1U);
    largest = std::max(largest, group[0]);
  }
  const int limit = *rc::gen::inRange(largest, batch + 1);
  std::vector<int> flat, expected;
  for (const auto& group : slices) expected.push_back(group[0]);
  for (const auto& group : micro_batches(batch, limit)) {
    RC_ASSERT(std::accumulate(group.begin(), group.end(), 0) <= limit);
    flat.insert(flat.end(), group.begin(), group.end());
  }
  RC_ASSERT(flat == expected);
}

TEST(MicroBatches, SmallerThanASliceIsAnError) { EXPECT_THROW(micro_batches(64, 8), Error); }

}  // namespace
}  // namespace ddpm
