#include "ddpm/image/resize_float.h"

#include <gtest/gtest.h>

#include <array>
#include <bit>
#include <fstream>
#include <numeric>

#include "ddpm/base/error.h"
#include "ddpm/base/formula_for_test.h"

namespace ddpm {
namespace {

// Image `k` of tests/golden/metrics/make_resize.py as planes.
struct FormulaImage {
  Shape shape;
  std::vector<float> planes;
};

FormulaImage formula_image(std::uint32_t seed, int k, int height, int width) {
  FormulaImage image{{3, height, width}, {}};
  for (int c = 0; c < 3; ++c) {
    const auto b = [&](int j) { return formula_hash(seed, 32 * k + 8 * c + j); };
    const int fx = static_cast<int>(b(0) % 24), fy = static_cast<int>(b(1) % 24);
    const int phase = b(2) & 511, base = b(3) & 255, weight = b(4) & 255;
    for (int y = 0; y < height; ++y) {
      for (int x = 0; x < width; ++x) {
        const int v = (fx * x + fy * y + phase) & 511, tri = v < 256 ? v : 511 - v;
        const std::uint32_t at = ((k * 3 + c) * height + y) * width + x;
        const int noise = static_cast<int>(formula_hash(seed ^ 0x5BD1E995U, at) >> 27) - 16;
        image.planes.push_back(static_cast<float>(
            std::clamp(((tri * weight + base * (256 - weight)) >> 8) + noise, 0, 255)));
      }
    }
  }
  return image;
}

std::uint64_t bits_sum(const std::vector<float>& values) {
  std::uint64_t sum = 0;
  for (const float x : values) sum += std::bit_cast<std::uint32_t>(x);
  return sum;
}

struct Sums {
  std::uint64_t tf1 = 0, tf1_input = 0, torch_input = 0, pil = 0;
};

// Both images of a set, as the references were given them.
Sums sums_of(std::uint32_t seed, int height, int width) {
  Sums sums;
  for (int k = 0; k < 2; ++k) {
    const auto [shape, in] = formula_image(seed, k, height, width);
    sums.tf1 += bits_sum(resize_tf1(in, shape, 299, 299));
    sums.tf1_input += bits_sum(inception_input(in, shape, InputPipeline::torch_fidelity));
    sums.torch_input += bits_sum(inception_input(in, shape, InputPipeline::pytorch_fid));
    auto pil = resize_pil(in, shape, 299, 299);
    for (float& x : pil) x = std::clamp(x, 0.0f, 255.0f);
    sums.pil += bits_sum(pil);
  }
  return sums;
}

// Sums of the bit patterns that torch-fidelity, torch 1.13 and Pillow 9.4 made.
TEST(ResizeFloat, IsTheReferencesBitForBit) {
  const Sums small = sums_of(1, 32, 32);
  EXPECT_EQ(small.tf1, 0x000222c9263267a3U);
  EXPECT_EQ(small.tf1_input, 0x00049e3cfe5bc060U);
  EXPECT_EQ(small.torch_input, 0x00049817a3f9391cU);
  EXPECT_EQ(small.pil, 0x000222ade3f19241U);
  const Sums tall = sums_of(3, 64, 48);
  EXPECT_EQ(tall.tf1, 0x00022310d6053b82U);
  EXPECT_EQ(tall.tf1_input, 0x0003ef70e8cd6691U);
  EXPECT_EQ(tall.torch_input, 0x0003ec08ff0436b2U);
  EXPECT_EQ(tall.pil, 0x000222c06266a85fU);
}

// Five elements of each pipeline: [0,0,0,0], [0,0,10,11], [0,1,150,200], [0,2,298,298] and
// [1,1,37,255] of image, channel, row, column.
struct Elements {
  std::uint32_t seed;
  int height, width;
  std::array<std::uint32_t, 5> tf1, tf1_input, torch_input, pil;
};
const Elements kElements[] = {{1,
                               32,
                               32,
                               {0x43030000U, 0x42f79480U, 0x42dcdb70U, 0x42a00000U, 0x4326bfdfU},
                               {0x3cc00000U, 0xbd06b800U, 0xbe0c9240U, 0xbec00000U, 0x3e9aff7cU},
                               {0x3ce0e100U, 0x3d4dfc40U, 0xbe16a914U, 0xbebebebeU, 0x3e6c5850U},
                               {0x430081dbU, 0x4307fc55U, 0x42dbc31fU, 0x429c6cddU, 0x431beb01U}},
                              {3,
                               64,
                               48,
                               {0x43200000U, 0x43027b4bU, 0x42b816b1U, 0x42240000U, 0x4336e33bU},
                               {0x3e800000U, 0x3c9ed2c0U, 0xbe8fd29eU, 0xbf2e0000U, 0x3edb8cecU},
                               {0x3e828284U, 0x3d2d6720U, 0xbe823780U, 0xbf2dadaeU, 0x3edd993cU},
                               {0x43238482U, 0x4302f87cU, 0x42bfe7c9U, 0x421b23c3U, 0x4337ac91U}}};

std::array<std::uint32_t, 5> elements(const std::vector<float>& first,
                                      const std::vector<float>& second) {
  const auto at = [](const std::vector<float>& v, int c, int y, int x) {
    return std::bit_cast<std::uint32_t>(v[(c * 299 + y) * 299 + x]);
  };
  return {at(first, 0, 0, 0), at(first, 0, 10, 11), at(first, 1, 150, 200), at(first, 2, 298, 298),
          at(second, 1, 37, 255)};
}

// A sum does not see where values lie.
TEST(ResizeFloat, PutsEveryValueInItsPlace) {
  for (const Elements& e : kElements) {
    const FormulaImage a = formula_image(e.seed, 0, e.height, e.width);
    const FormulaImage b = formula_image(e.seed, 1, e.height, e.width);
    const auto of = [&](const auto& resize) {
      return elements(resize(a.planes, a.shape), resize(b.planes, b.shape));
    };
    EXPECT_EQ(of([](const auto& p, Shape s) { return resize_tf1(p, s, 299, 299); }), e.tf1);
    EXPECT_EQ(of([](const auto& p, Shape s) { return resize_pil(p, s, 299, 299); }), e.pil);
    EXPECT_EQ(of([](const auto& p, Shape s) {
                return inception_input(p, s, InputPipeline::torch_fidelity);
              }),
              e.tf1_input);
    EXPECT_EQ(of([](const auto& p, Shape s) {
                return inception_input(p, s, InputPipeline::pytorch_fid);
              }),
              e.torch_input);
  }
}

TEST(ResizeFloat, IsHeldAgainstTheReferencesImages) {
  const auto sum = [](std::uint32_t seed, int h, int w) {
    double total = 0;
    for (const int k : {0, 1}) {
      const FormulaImage image = formula_image(seed, k, h, w);
      total += std::accumulate(image.planes.begin(), image.planes.end(), 0.0);
    }
    return total;
  };
  EXPECT_EQ(sum(1, 32, 32), 686268);
  EXPECT_EQ(sum(3, 64, 48), 2231768);
}

// Shrinking, one pixel, long strips, the network's own size: make_resize.py.
TEST(ResizeFloat, HoldsForOtherSizes) {
  std::ifstream file(std::string(DDPM_SOURCE_DIR) + "/tests/golden/metrics/resize.txt");
  int cases = 0;
  std::uint64_t tf1 = 0, torch = 0, pil = 0;
  for (int h = 0, w = 0; file >> h >> w >> tf1 >> torch >> pil; ++cases) {
    const auto [shape, in] = formula_image(7, 1, h, w);
    EXPECT_EQ(bits_sum(inception_input(in, shape, InputPipeline::torch_fidelity)), tf1) << h;
    EXPECT_EQ(bits_sum(inception_input(in, shape, InputPipeline::pytorch_fid)), torch) << h;
    EXPECT_EQ(bits_sum(inception_input(in, shape, InputPipeline::clean_fid)), pil) << h;
  }
  EXPECT_EQ(cases, 9);
}

TEST(ResizeFloat, LeavesTheNetworksOwnSizeAlone) {
  const auto [shape, in] = formula_image(7, 0, 299, 299);
  EXPECT_EQ(resize_tf1(in, shape, 299, 299), in);
  EXPECT_EQ(resize_torch(in, shape, 299, 299), in);
  EXPECT_EQ(resize_pil(in, shape, 299, 299), in);
}

TEST(ResizeFloat, TakesPlanesOfBytes) {
  const Image image{2, 1, 3, {1, 2, 3, 4, 5, 6}};
  EXPECT_EQ(byte_planes(image), (std::vector<float>{1, 4, 2, 5, 3, 6}));
}

TEST(ResizeFloat, RefusesEmptySides) {
  const std::vector<float> one(1);
  EXPECT_THROW(resize_tf1(one, {1, 1, 1}, 0, 5), Error);
  EXPECT_THROW(resize_pil(one, {1, 1, 1}, 5, -1), Error);
  EXPECT_THROW(resize_torch(one, {1, 2, 1}, 5, 5), BugError);
}

}  // namespace
}  // namespace ddpm
