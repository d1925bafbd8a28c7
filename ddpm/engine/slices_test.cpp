#include <gtest/gtest.h>

#include <numeric>

#include "ddpm/engine/engine.h"

namespace ddpm {
namespace {

TEST(SliceSizes, AreOneForEverySixteenImagesAtMostEightAndDifferByOneAtMost) {
  for (int batch = 1; batch <= 300; ++batch) {
    const auto sizes = slice_sizes(batch);
    EXPECT_EQ(static_cast<int>(sizes.size()), std::min(8, std::max(1, batch / 16))) << batch;
    EXPECT_EQ(std::accumulate(sizes.begin(), sizes.end(), 0), batch);
    const auto [least, most] = std::minmax_element(sizes.begin(), sizes.end());
    EXPECT_LE(*most - *least, 1) << batch;
    EXPECT_GE(*least, 1);
  }
}

}  // namespace
}  // namespace ddpm
