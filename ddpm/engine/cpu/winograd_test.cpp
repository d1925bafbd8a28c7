// Winograd's convolutions against the direct ones, pass by pass, on shapes that do not fit tiles,
// panels or blocks.
#include <gtest/gtest.h>

#include <cmath>

#include "ddpm/base/philox.h"
#include "ddpm/engine/cpu/conv_choice.h"
#include "ddpm/engine/cpu/program.h"
#include "ddpm/engine/cpu/tiles.h"
#include "ddpm/net/gradient.h"

namespace ddpm::cpu {
namespace {

struct Case {
  int in, out, h, w, images;
  std::vector<int> slices;
  int pad = 1;
};

struct Results {
  std::vector<float> y, dx, weight, bias;
};

std::vector<float> normals(std::size_t n, std::uint64_t seed) {
  std::vector<float> values(n);
  fill_normal({.seed = seed}, values);
  return values;
}

std::vector<float> copy(std::span<const float> values) { return {values.begin(), values.end()}; }

// One convolution forward and backward; the weight gradient is that of the last slice.
Results run(const Case& c, Profile profile, int threads) {
  ThreadPool pool(threads);
  Graph g;
  g.output = g.conv(g.input({c.in, c.h, c.w}), "c", c.out, 3, 1, c.pad, c.pad);
  const GradientGraph backward = gradient(g, {.params = true, .input = true});
  Program program(backward.graph, c.images, pool, profile);
  Params params(g.params());
  fill_normal({.seed = 1}, params.all());
  program.pack(params);
  const std::vector<Value> inputs = input_rows(backward.graph);
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const std::size_t size = backward.graph.shape(inputs[i]).size();
    write_planar(program.view(inputs[i]), normals(c.images * size, 2 + i));
  }
  std::vector<Params> sums(c.slices.size(), Params(g.params()));
  std::vector<Params*> pointers;
  for (Params& sum : sums) pointers.push_back(&sum);
  program.run(0, program.steps(), {.images = c.images, .slices = c.slices, .gradients = pointers});
  Results r;
  r.y.resize(c.images * g.shape(g.output).size());
  r.dx.resize(c.images * g.shape(0).size());
  read_planar(program.view(g.output), r.y);
  read_planar(program.view(backward.d_input), r.dx);
  r.weight = copy(sums.back().tensor("c.weight"));
  r.bias = copy(sums.back().tensor("c.bias"));
  return r;
}

// An fma chain of n products of unit variance reaches sqrt(n); each of its roundings is 6e-8 /
// sqrt(3) (rms) of the sum so far, which adds up to 6e-8 / sqrt(3) * sqrt(n / 2) of the result.
// Winograd's rounding is up to 5.7 an axis larger (engine_test.cpp); 8 sigma. A wrong index or
// coefficient is off by the value's own size.
void expect_close(const std::vector<float>& got, const std::vector<float>& want, int products,
                  const char* what) {
  ASSERT_EQ(got.size(), want.size()) << what;
  double sum = 0;
  for (const float w : want) sum += static_cast<double>(w) * w;
  const double rms = std::sqrt(sum / static_cast<double>(want.size()));
  const double tolerance = 6e-8 / std::sqrt(3.0) * std::sqrt(products / 2.0) * 5.7 * 5.7 * 8;
  for (std::size_t i = 0; i < want.size(); ++i) {
    ASSERT_NEAR(got[i], want[i], tolerance * rms) << what << "[" << i << "]";
  }
}

const Case kCases[] = {
    {16, 16, 7, 7, 1, {1}},    {32, 48, 8, 8, 3, {1, 2}},   {17, 33, 9, 14, 5, {3, 2}},
    {40, 70, 28, 28, 2, {2}},  {130, 20, 12, 7, 4, {2, 2}}, {64, 64, 28, 28, 8, {8}},
    {96, 32, 3, 5, 2, {1, 1}}, {32, 48, 9, 14, 3, {3}, 0},  {20, 16, 3, 7, 1, {1}, 0},
};

TEST(Winograd, EveryPassAgreesWithTheDirectConvolution) {
  for (const Case& c : kCases) {
    SCOPED_TRACE(testing::Message() << c.in << " -> " << c.out << ", " << c.h << " x " << c.w);
    const Results direct = run(c, Profile::f32_direct, 2);
    const Results winograd = run(c, Profile::f32, 2);
    expect_close(winograd.y, direct.y, 9 * c.in, "y");
    expect_close(winograd.dx, direct.dx, 9 * c.out, "dx");
    expect_close(winograd.weight, direct.weight, c.slices.back() * c.h * c.w, "weight");
    EXPECT_EQ(winograd.bias, direct.bias);
    EXPECT_NE(winograd.y, direct.y) << "Winograd was not chosen";
  }
}

TEST(Winograd, HasTheSameBitsForAnyThreads) {
  for (const Case& c : kCases) {
    const Results one = run(c, Profile::f32, 1);
    for (const int threads : {2, 3, 7}) {
      const Results many = run(c, Profile::f32, threads);
      EXPECT_EQ(one.y, many.y) << threads;
      EXPECT_EQ(one.dx, many.dx) << threads;
      EXPECT_EQ(one.weight, many.weight) << threads;
    }
  }
}

TEST(Winograd, IsNeverChosenByF32DirectOrForOtherShapes) {
  const Shape wide{64, 16, 16}, narrow{3, 16, 16};
  const Attributes fits{.kernel = 3, .stride = 1, .pad_before = 1, .pad_after = 1};
  const Attributes strided{.kernel = 3, .stride = 2, .pad_before = 0, .pad_after = 1};
  const auto choice = [](const Attributes& a, const Shape& in, Profile profile) {
    return product_algorithm(a, in, {64, 16, 16}, profile);
  };
  EXPECT_EQ(choice(fits, wide, Profile::f32), ConvAlgorithm::winograd);
  EXPECT_EQ(choice(fits, wide, Profile::f32_direct), ConvAlgorithm::direct);
  EXPECT_EQ(choice(fits, narrow, Profile::f32), ConvAlgorithm::direct);
  EXPECT_EQ(choice(strided, wide, Profile::f32), ConvAlgorithm::direct);
  const Attributes across{.kernel = 3, .pad_before = 1, .pad_after = 1, .kernel_w = 1};
  EXPECT_EQ(choice(across, wide, Profile::f32), ConvAlgorithm::direct);
}

TEST(Tiles, EveryPixelIsWrittenOnceAndReadsItsNeighbours) {
  const Shape image{1, 7, 10};
  const Tiles tiles(image);
  EXPECT_EQ(tiles.count, 2 * 3);
  std::vector<int> written(image.pixels(), 0);
  for (const std::int32_t p : tiles.output) {
    if (p >= 0) ++written[p];
  }
  EXPECT_EQ(written, std::vector<int>(image.pixels(), 1));
  EXPECT_EQ(tiles.input[0], -1);                       // above and left of the first tile
  EXPECT_EQ(tiles.input[kTileInput + 1], 0);           // its first pixel
  EXPECT_EQ(tiles.input[36 + kTileInput], kTile - 1);  // the second tile reads one to the left
}

}  // namespace
}  // namespace ddpm::cpu
