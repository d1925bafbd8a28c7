#include "ddpm/engine/cpu/op_clock.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ddpm/base/error.h"
#include "ddpm/engine/cpu/cpu.h"
#include "ddpm/engine/cpu/fma_peak.h"
#include "ddpm/net/gradient.h"

namespace ddpm::cpu {
namespace {

// 2 channels of 4 x 4 -> 6 channels of 4 x 4 (3x3) -> 2 channels of 2 x 2 (3x3, stride 2).
Graph two_convs() {
  Graph g;
  const Value x = g.conv(g.input({2, 4, 4}), "a", 6, 3, 1, 1, 1);
  g.output = g.conv(x, "b", 2, 3, 2, 1, 1);
  return g;
}

double sum_of(const Graph& g, Op op) {
  double sum = 0;
  for (const Node& node : g.nodes()) sum += node.op == op ? direct_flops(g, node) : 0;
  return sum;
}

TEST(OpClock, ConvolutionsCostTwoAMultiplyAddForwardAndInBothGradients) {
  const double a = 2.0 * 16 * 6 * 2 * 9, b = 2.0 * 4 * 2 * 6 * 9;
  const Graph forward = two_convs();
  EXPECT_EQ(sum_of(forward, Op::conv), a + b);
  const GradientGraph g = gradient(forward, {.params = true, .input = true});
  EXPECT_EQ(sum_of(g.graph, Op::conv_dx), a + b);
  EXPECT_EQ(sum_of(g.graph, Op::conv_dw), a + b);
}

TEST(OpClock, AttentionCostsTwoProductsForwardAndFourBackward) {
  Graph g;
  const Value x = g.input({8, 4, 2});
  g.output = g.attention(x, x, x, 2);
  const double product = 2.0 * 8 * 8 * 8;  // 8 tokens with 8 tokens over 8 channels
  const auto all = [](const Graph& graph) {
    return sum_of(graph, Op::dot_tokens) + sum_of(graph, Op::mix_tokens) +
           sum_of(graph, Op::mix_tokens_transposed);
  };
  EXPECT_EQ(all(g), 2 * product);
  EXPECT_EQ(all(gradient(g, {.params = false, .input = true}).graph), 6 * product);
}

TEST(OpClock, KindsOfConvolutionsAreToldApart) {
  const Graph g = two_convs();
  EXPECT_EQ(op_kind(g.node(1)), "conv 3x3");
  EXPECT_EQ(op_kind(g.node(2)), "conv 3x3 /2");
  EXPECT_TRUE(is_winograd_shape(g.node(1)));
  EXPECT_FALSE(is_winograd_shape(g.node(2)));
}

TEST(OpClock, TimesEveryRowOfItsThreadWhileItLives) {
  Graph g;
  g.output = g.conv(g.conv(g.input({2, 4, 4}), "a", 6, 3, 1, 1, 1), "b", 2, 1, 1, 0, 0);
  ThreadPool pool(1);
  const auto denoiser = make_denoiser(g, Params(g.params()), 2, pool, Profile::f32_direct);
  const std::vector<float> x(2 * 32);
  const std::vector<double> time(2);
  std::vector<float> out(2 * 32);
  const auto predict = [&] { denoiser->predict(x, time, out); };
  OpTime conv;
  {
    OpClock clock;
    EXPECT_THROW(OpClock{}, BugError);
    predict();
    predict();
    conv = clock.times().at("conv 3x3");
  }
  EXPECT_EQ(OpClock::current(), nullptr);
  EXPECT_GT(conv.seconds, 0);
  EXPECT_EQ(conv.direct_flops, 2 * 2 * (2.0 * 16 * 6 * 2 * 9));  // two calls of two images
  EXPECT_EQ(conv.real_flops, conv.direct_flops);
}

TEST(FmaPeak, IsAPositiveRateNoMachineExceeds) {
  ThreadPool pool(1);
  const double peak = measure_fma_peak(pool);
  EXPECT_GT(peak, 0.1);  // a scalar fma of the C library
  // 3 ports of 16 lanes at 6 GHz: what lies beyond was not computed.
  EXPECT_LT(peak, 2 * 3 * 16 * 6.0);
}

TEST(Profile, NamesAreReadBackAndOthersRefused) {
  for (const Profile p : {Profile::f32, Profile::f32_direct}) {
    EXPECT_EQ(parse_profile("x", to_string(p)), p);
  }
  try {
    parse_profile("[cli] bench: --profile", "f32-dircet");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::usage);
    EXPECT_THAT(error.what(), testing::HasSubstr("try 'f32-direct'"));
  }
}

}  // namespace
}  // namespace ddpm::cpu
