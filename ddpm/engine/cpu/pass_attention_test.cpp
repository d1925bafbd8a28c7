#include <gtest/gtest.h>

#include <cmath>

#include "ddpm/engine/cpu/nets_for_test.h"
#include "ddpm/engine/cpu/passes.h"

namespace ddpm::cpu {
namespace {

Graph of_one_head() { return small_unets(0)[1]; }
Graph of_three_heads() { return small_unets(0)[0]; }

std::vector<float> predicted(const Graph& g, const Params& params, Profile profile, int numerics,
                             int threads = 2) {
  ThreadPool pool(threads);
  const auto denoiser = make_denoiser(g, params, 3, pool, profile, numerics);
  std::vector<float> out(3 * denoiser->out_shape().size());
  denoiser->predict(normals(3 * denoiser->shape().size(), 1), std::vector<double>{7, 812.5, 7}, {},
                    out);
  return out;
}

TEST(FoldAttention, LeavesTwoProjectionsOfFour) {
  const Graph g = of_one_head();
  Tape tape = tape_of(g);
  const int attentions = count(tape, Op::dot_tokens), convolutions = count(tape, Op::conv);
  ASSERT_EQ(attentions, 4);
  EXPECT_EQ(fold_attention(tape).size(), 4);
  EXPECT_EQ(count(tape, Op::conv), convolutions - 2 * attentions);
  EXPECT_EQ(count(tape, Op::dot_tokens), attentions);
}

TEST(FoldAttention, LeavesSeveralHeadsAlone) {
  const Graph g = of_three_heads();
  Tape tape = tape_of(g);
  const std::vector<Value> order = tape.order;
  EXPECT_TRUE(fold_attention(tape).empty());
  EXPECT_EQ(tape.order, order);
}

// A key that something else reads, and tokens that are not the query's, must stay.
TEST(FoldAttention, LeavesWhatOthersReadAlone) {
  for (const bool other_tokens : {false, true}) {
    Graph g;
    const Value x = g.input({16, 5, 3}), y = g.silu(x);
    const Value key = g.linear(other_tokens ? y : x, "k", 16);
    const Value mixed = g.attention(g.linear(x, "q", 16), key, g.linear(x, "v", 16), 1);
    const Value out = g.linear(mixed, "o", 16);
    g.output = other_tokens ? out : g.add(out, key);
    Tape tape = tape_of(g);
    EXPECT_TRUE(fold_attention(tape).empty());
  }
}

// The folded weights are rounded once, to 2^-24, and so are the values between the rows, which the
// unfolded network rounds as often: as derived in engine_test.cpp, 5e-6 of the rms, times 5.7 for
// Winograd, 8 sigma.
TEST(FoldAttention, ComputesTheSameFunction) {
  const Graph g = of_one_head();
  const Params params = random_params(g);
  const std::vector<float> folded = predicted(g, params, Profile::f32, kNumerics);
  const std::vector<float> want = predicted(g, params, Profile::f32, 2);
  ASSERT_NE(folded, want);
  double squares = 0;
  for (const float v : want) squares += double{v} * v;
  const double rms = std::sqrt(squares / static_cast<double>(want.size()));
  for (std::size_t i = 0; i < want.size(); ++i) {
    EXPECT_NEAR(folded[i], want[i], 5e-6 * 5.7 * 8 * rms);
  }
}

TEST(FoldAttention, IsOfTheFastProfileAlone) {
  const Graph g = of_one_head();
  const Params params = random_params(g);
  EXPECT_EQ(predicted(g, params, Profile::f32_direct, kNumerics),
            predicted(g, params, Profile::f32_direct, 2));
}

// One head of 2 channels: M = W_k^T W_q, c = W_k^T b_q; W_o W_v, W_o b_v + b_o.
TEST(FoldAttention, MultipliesWeights) {
  Graph g;
  const Value x = g.input({2, 5, 3});
  g.output = g.linear(g.attention(g.linear(x, "q", 2), g.linear(x, "k", 2), g.linear(x, "v", 2), 1),
                      "o", 3);
  Params params(g.params());
  const auto set = [&](const char* name, std::vector<float> values) {
    std::ranges::copy(values, params.tensor(name).begin());
  };
  set("q.weight", {1, 2, 3, 4}), set("q.bias", {5, 6});
  set("k.weight", {7, 8, 9, 10}), set("k.bias", {11, 12});
  set("v.weight", {1, -1, 2, 0.5}), set("v.bias", {3, -2});
  set("o.weight", {1, 2, 3, 4, 5, 6}), set("o.bias", {0.5, 0.25, 1});
  Tape tape = tape_of(g);
  ThreadPool pool(2);
  const Params folded = folded_params(fold_attention(tape), params, pool);
  const auto tensor = [&](const char* name) {
    const auto t = folded.tensor(name);
    return std::vector<float>(t.begin(), t.end());
  };
  EXPECT_EQ(tensor("q.weight"), (std::vector<float>{34, 50, 38, 56}));
  EXPECT_EQ(tensor("q.bias"), (std::vector<float>{89, 100}));
  EXPECT_EQ(tensor("o.weight"), (std::vector<float>{5, 0, 11, -1, 17, -2}));
  EXPECT_EQ(tensor("o.bias"), (std::vector<float>{-0.5, 1.25, 4}));
}

TEST(FoldAttention, DoesNotDependOnThreads) {
  const Graph g = of_one_head();
  const Params params = random_params(g);
  EXPECT_EQ(predicted(g, params, Profile::f32, kNumerics, 1),
            predicted(g, params, Profile::f32, kNumerics, 3));
}

}  // namespace
}  // namespace ddpm::cpu
