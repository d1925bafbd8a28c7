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

std::vector<int> shape_of(const Graph& g, const std::string& name) {
  for (const ParamSpec& spec : g.params()) {
    if (spec.name == name) return spec.shape;
  }
  return {};
}

UNetConfig two_levels() {
  return {.height = 8,
          .width = 8,
          .block_out_channels = {8, 24},
          .attention = {false, true},
          .layers_per_block = 1,
          .norm_num_groups = 4};
}

using Ints = std::vector<int>;

TEST(UNet, HasTheTensorsOfUNet2DModelForEveryKey) {
  UNetConfig c = two_levels();
  c.resnet_time_scale_shift = TimeShift::scale_shift;
  c.time_embedding_type = TimeEmbedding::fourier;
  c.attention_head_dim = 5;
  c.out_channels = 6;
  c.num_classes = 10;
  c.null_class = true;
  c.upsample_type = Resample::resnet;
  const Graph g = unet(c);
  EXPECT_EQ(shape_of(g, "time_proj.weight"), (Ints{8}));
  EXPECT_EQ(shape_of(g, "time_embedding.linear_1.weight"), (Ints{32, 16}));
  EXPECT_EQ(shape_of(g, "class_embedding.weight"), (Ints{11, 32}));
  EXPECT_EQ(shape_of(g, "mid_block.resnets.0.time_emb_proj.weight"), (Ints{48, 32}));
  EXPECT_EQ(shape_of(g, "mid_block.attentions.0.group_norm.weight"), (Ints{}));
  EXPECT_EQ(shape_of(g, "down_blocks.1.attentions.0.group_norm.weight"), (Ints{24}));
  EXPECT_EQ(shape_of(g, "mid_block.attentions.0.to_q.weight"), (Ints{20, 24}));
  EXPECT_EQ(shape_of(g, "mid_block.attentions.0.to_out.0.weight"), (Ints{24, 20}));
  EXPECT_EQ(shape_of(g, "down_blocks.0.downsamplers.0.conv.weight"), (Ints{8, 8, 3, 3}));
  EXPECT_EQ(shape_of(g, "up_blocks.0.upsamplers.0.conv2.weight"), (Ints{24, 24, 3, 3}));
  EXPECT_EQ(shape_of(g, "conv_out.weight"), (Ints{6, 8, 3, 3}));
  EXPECT_EQ(g.shape(g.output), (Shape{6, 8, 8}));
}

TEST(UNet, AttendsWhereItIsTold) {
  UNetConfig c = two_levels();
  c.up_attention = {true, false};
  c.add_attention = false;
  const Graph g = unet(c);
  EXPECT_EQ(shape_of(g, "down_blocks.1.attentions.0.to_q.weight"), (Ints{24, 24}));
  EXPECT_EQ(shape_of(g, "up_blocks.0.attentions.0.to_q.weight"), (Ints{}));
  EXPECT_EQ(shape_of(g, "up_blocks.1.attentions.1.to_q.weight"), (Ints{8, 8}));
  EXPECT_EQ(shape_of(g, "mid_block.attentions.0.to_q.weight"), (Ints{}));
  c.mid_block = false;
  EXPECT_EQ(shape_of(unet(c), "mid_block.resnets.0.conv1.weight"), (Ints{}));
}

TEST(UNet, CutsHeadsByWidthOrByCount) {
  UNetConfig c = two_levels();
  EXPECT_EQ(attention_heads(c, 24).width, 24);
  c.attention_head_dim = 5;
  EXPECT_EQ(attention_heads(c, 24).count, 4);
  c.attention_head_dim = 0;
  c.attention_heads = 8;
  EXPECT_EQ(attention_heads(c, 24).width, 3);
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

// As torch's nn.Embedding and diffusers' GaussianFourierProjection start.
TEST(InitUNet, DrawsTablesAndFrequenciesFromNormals) {
  UNetConfig c = two_levels();
  c.block_out_channels = {400, 4};
  c.time_embedding_type = TimeEmbedding::fourier;
  c.num_classes = 10;
  const Params params = init_unet(unet(c), 3);
  const auto rms = [&](const char* name) {
    double squares = 0;
    for (const float w : params.tensor(name)) squares += double{w} * w;
    return std::sqrt(squares / static_cast<double>(params.tensor(name).size()));
  };
  // n normals: the rms is within 3 / sqrt(2 n), 11 % of 400 and 2 % of 16000.
  EXPECT_NEAR(rms("time_proj.weight"), 16, 16 * 0.11);
  EXPECT_NEAR(rms("class_embedding.weight"), 1, 0.02);
}

TEST(InitUNet, DependsOnTheSeedAlone) {
  const Graph g = unet({.block_out_channels = {32, 32}, .attention = {false, false}});
  const Params a = init_unet(g, 1), b = init_unet(g, 1), c = init_unet(g, 2);
  EXPECT_TRUE(std::equal(a.all().begin(), a.all().end(), b.all().begin()));
  EXPECT_FALSE(std::equal(a.all().begin(), a.all().end(), c.all().begin()));
}

}  // namespace
}  // namespace ddpm
