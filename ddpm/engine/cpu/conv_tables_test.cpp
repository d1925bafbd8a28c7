#include "ddpm/engine/cpu/conv_tables.h"

#include <gtest/gtest.h>

#include <set>
#include <tuple>

namespace ddpm::cpu {
namespace {

using Reach = std::tuple<int, int, int>;  // input pixel, tap, offset into the gradient

// Every tap of every output pixel that lies in the image, seen from the input pixel.
std::set<Reach> all_reaches(const Attributes& a, const Shape& in, const Shape& out, int stride) {
  std::set<Reach> reaches;
  for (int p = 0; p < out.pixels(); ++p) {
    for (int tap = 0; tap < a.taps(); ++tap) {
      const int y = p / out.w * a.stride + tap / a.width() - a.pad_before;
      const int x = p % out.w * a.stride + tap % a.width() - a.pad_left();
      if (y < 0 || y >= in.h || x < 0 || x >= in.w) continue;
      reaches.insert({y * in.w + x, tap, p * stride});
    }
  }
  return reaches;
}

TEST(BackwardGroups, ReachEveryTapOnceAndNoTapIsOfTwoGroups) {
  for (const auto& [kernel, step, pad] :
       {std::tuple(3, 1, 1), {3, 2, 1}, {3, 2, 0}, {1, 2, 0}, {2, 2, 0}, {5, 3, 2}, {1, 1, 0}}) {
    const Attributes a{.kernel = kernel, .stride = step, .pad_before = pad, .pad_after = pad};
    const Shape in{16, 9, 8};
    const auto side = [&](int n) { return (n + 2 * pad - kernel) / step + 1; };
    const Shape out{16, side(in.h), side(in.w)};
    constexpr int kStride = 32;
    std::set<Reach> got;
    std::set<int> taps, places;
    int first_tap = 0;
    const auto groups = backward_groups(a, in, out, kStride);
    EXPECT_EQ(std::ssize(groups), step * step);
    for (const PixelGroup& group : groups) {
      EXPECT_EQ(group.first_tap, first_tap);
      first_tap += static_cast<int>(group.taps.size());
      for (const int tap : group.taps) EXPECT_TRUE(taps.insert(tap).second) << tap;
      for (int i = 0; i < group.pixels; ++i) {
        const int place = group.places.empty() ? i : group.places[i];
        EXPECT_TRUE(places.insert(place).second) << place;
        for (std::size_t t = 0; t < group.taps.size(); ++t) {
          const int offset = group.offsets[i * group.taps.size() + t];
          if (offset >= 0) got.insert({place, group.taps[t], offset});
        }
      }
    }
    EXPECT_EQ(std::ssize(places), in.pixels());
    EXPECT_EQ(got, all_reaches(a, in, out, kStride)) << kernel << "/" << step;
  }
}

TEST(BackwardGroups, OfStrideTwoHaveAQuarterOfTheProducts) {
  const Attributes a{.kernel = 3, .stride = 2, .pad_before = 0, .pad_after = 1};
  const auto groups = backward_groups(a, {16, 8, 8}, {16, 4, 4}, 16);
  std::size_t products = 0;
  for (const PixelGroup& group : groups) products += group.offsets.size();
  EXPECT_EQ(products, 8 * 8 * 9 / 4);
}

}  // namespace
}  // namespace ddpm::cpu
