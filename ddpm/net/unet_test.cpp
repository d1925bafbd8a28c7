#include "ddpm/net/unet.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "ddpm/base/error.h"

namespace ddpm {
namespace {

std::size_t parameters(const UNetConfig& config) {
  std::size_t n = 0;
  const Graph g = unet(config);
  for (const ParamSpec& spec : g.params()) n += spec.size();
  return n;
}

// Counts of the published models.
TEST(UNet, HasThePapersParameterCounts) {
  EXPECT_EQ(parameters({}), 35'746'307U);  // CIFAR-10
  EXPECT_EQ(unet({}).params().size(), 328U);
  const UNetConfig celeba{.height = 256,
                          .width = 256,
                          .block_out_channels = {128, 128, 256, 256, 512, 512},
                          .attention = {false, false, false, false, true, false},
                          .dropout = 0};
  EXPECT_EQ(parameters(celeba), 113'673'219U);
  EXPECT_EQ(unet(celeba).params().size(), 450U);
}

TEST(UNet, KeepsTheShapeOfNonSquareImages) {
  const UNetConfig config{.in_channels = 1,
                          .out_channels = 1,
                          .height = 8,
                          .width = 12,
                          .block_out_channels = {8, 16},
                          .attention = {false, true},
                          .norm_num_groups = 4};
  const Graph g = unet(config);
  EXPECT_EQ(g.shape(g.output), (Shape{1, 8, 12}));
}

TEST(UNet, NamesEveryImpossibleValueAtOnce) {
  const UNetConfig config{.height = 30,
                          .width = 32,
                          .block_out_channels = {8, 20, 16},
                          .attention = {false, true, false},
                          .norm_num_groups = 8,
                          .dropout = 1.5};
  try {
    unet(config);
    FAIL() << "no error";
  } catch (const Error& e) {
    const std::string text = e.what();
    EXPECT_NE(text.find("20 is not divisible by norm_num_groups 8"), std::string::npos) << text;
    EXPECT_NE(text.find("divisible by 4; got 30"), std::string::npos) << text;
    EXPECT_NE(text.find("dropout: got 1.5"), std::string::npos) << text;
  }
}

TEST(InitUNet, ScalesWeightsByTheirFanAndZeroesTheLastLayers) {
  const Graph g = unet({.block_out_channels = {32, 64}, .attention = {false, true}});
  const Params params = init_unet(g, 7);
  // Uniform in +-limit: variance limit^2 / 3 = 1 / fan_avg = 1 / (9 * 48); 18432 values, so the
  // estimate is good to 2 % (3 sigma).
  const auto w = params.tensor("down_blocks.1.resnets.0.conv1.weight");
  double squares = 0;
  for (const float v : w) squares += double{v} * v;
  EXPECT_NEAR(squares / static_cast<double>(w.size()) * 9 * 48, 1, 0.02);
  for (const float v : params.tensor("conv_out.weight")) EXPECT_LT(std::abs(v), 1e-5);
  for (const float v : params.tensor("conv_out.bias")) EXPECT_EQ(v, 0);
  for (const float v : params.tensor("conv_norm_out.weight")) EXPECT_EQ(v, 1);
}

TEST(InitUNet, DependsOnTheSeedAlone) {
  const Graph g = unet({.block_out_channels = {32, 32}, .attention = {false, false}});
  const Params a = init_unet(g, 1), b = init_unet(g, 1), c = init_unet(g, 2);
  EXPECT_TRUE(std::equal(a.all().begin(), a.all().end(), b.all().begin()));
  EXPECT_FALSE(std::equal(a.all().begin(), a.all().end(), c.all().begin()));
}

}  // namespace
}  // namespace ddpm
