// Rows of image classifiers: ReLU, pools, kernels that are not square.
#include <gtest/gtest.h>

#include <cmath>

#include "ddpm/engine/cpu/kernels.h"
#include "ddpm/engine/cpu/nets_for_test.h"
#include "ddpm/engine/cpu/passes.h"
#include "ddpm/net/interpreter_for_test.h"

namespace ddpm::cpu {
namespace {

// Every new row, on channels in whole vectors and not, sides that no stride divides.
Graph small_classifier(int channels) {
  Graph g;
  const Value x = g.input({3, 11, 9});
  Value h = g.relu(g.conv(x, "first", channels, 3, 1, 1, 1));
  h = g.max_pool(h, 3, 2, 0);
  const Value wide = g.relu(g.conv_rect(h, "wide", channels, 1, 7));
  const Value tall = g.relu(g.conv_rect(wide, "tall", channels, 5, 1));
  const Value inside = g.avg_pool(h, 3, 1, 1, false);
  const Value padded = g.avg_pool(h, 3, 1, 1, true);
  const Value top = g.max_pool(h, 3, 1, 1);
  Value all = g.concat(g.concat(g.concat(g.concat(wide, tall), inside), padded), top);
  g.output = g.concat(g.flatten(all), g.linear(g.mean_pixels(all), "last", 10));
  return g;
}

std::vector<float> run(const Graph& g, const Params& params, Profile profile, int threads = 2,
                       int batch = kTestImages) {
  ThreadPool pool(threads);
  auto net = make_denoiser(g, params, batch, pool, profile);
  const auto x = normals(kTestImages * net->shape().size(), 1);
  std::vector<float> out(kTestImages * net->out_shape().size());
  for (int i = 0; i < kTestImages; i += batch) {
    const std::vector<double> time(std::min(batch, kTestImages - i));
    const auto part = [&](auto all, std::size_t size) {
      return std::span(all).subspan(i * size, time.size() * size);
    };
    net->predict(part(std::span<const float>(x), net->shape().size()), time,
                 part(std::span(out), net->out_shape().size()));
  }
  return out;
}

TEST(Classifier, RowsAgreeWithTheDoubleInterpreter) {
  for (const int channels : {16, 20}) {
    for (const Profile profile : {Profile::f32, Profile::f32_direct}) {
      const Graph g = small_classifier(channels);
      const Params params = random_params(g);
      const DoubleParams doubles = to_doubles(params);
      Interpreter oracle(g, doubles);
      const auto x = normals(kTestImages * g.shape(0).size(), 1);
      const auto got = run(g, params, profile);
      const std::size_t in = g.shape(0).size(), out = g.shape(g.output).size();
      for (int n = 0; n < kTestImages; ++n) {
        oracle.run({Doubles(x.begin() + n * in, x.begin() + (n + 1) * in)}, 0);
        const Doubles& want = oracle.value(g.output);
        // Four layers of chains of at most 140 products of size 1: roundings of 6e-8 add up like a
        // random walk to 6e-8 * sqrt(4 * 140) = 1.4e-6. A wrong index is off by 0.1 and more.
        for (std::size_t i = 0; i < out; ++i) ASSERT_NEAR(got[n * out + i], want[i], 1e-5) << i;
      }
    }
  }
}

TEST(Classifier, HasTheSameBitsOnEveryInstructionSetAndForAnyBatchAndThreads) {
  for (const int channels : {16, 20}) {
    const Graph g = small_classifier(channels);
    const Params params = random_params(g);
    for (const Profile profile : {Profile::f32, Profile::f32_direct}) {
      set_isa("");
      const auto want = run(g, params, profile, 1, 3);
      for (const char* isa : {"scalar", "avx2", "avx512", "neon"}) {
        if (!set_isa(isa)) continue;
        EXPECT_EQ(run(g, params, profile, 2, 1), want) << isa;
        EXPECT_EQ(run(g, params, profile, 3, 2), want) << isa;
      }
      set_isa("");
    }
  }
}

TEST(FuseRelus, LeavesNoneAfterAConvolutionAndTheSameBits) {
  for (const Profile profile : {Profile::f32, Profile::f32_direct}) {
    const Graph g = small_classifier(16);
    const Params params = random_params(g);
    Tape tape = tape_of(g);
    const auto want = results_of(tape, params, 2, profile);
    fuse_relus(tape);
    EXPECT_EQ(count(tape, Op::relu), 0);
    EXPECT_EQ(results_of(tape, params, 2, profile), want);
  }
}

TEST(FuseRelus, LeavesAloneWhatHasAnotherReader) {
  Graph g;
  const Value conv = g.conv(g.input({16, 6, 6}), "c", 16, 3, 1, 1, 1);
  g.output = g.concat(conv, g.relu(conv));
  const Params params = random_params(g);
  Tape tape = tape_of(g);
  const auto want = results_of(tape, params);
  fuse_relus(tape);
  EXPECT_EQ(count(tape, Op::relu), 1);
  EXPECT_EQ(results_of(tape, params), want);
}

}  // namespace
}  // namespace ddpm::cpu
