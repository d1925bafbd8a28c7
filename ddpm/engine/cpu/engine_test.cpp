// The engine against the double interpreter, and the determinism contract.
#include <gtest/gtest.h>

#include <cmath>

#include "ddpm/engine/cpu/cpu.h"
#include "ddpm/engine/cpu/kernels.h"
#include "ddpm/engine/cpu/nets_for_test.h"
#include "ddpm/net/gradient.h"
#include "ddpm/net/interpreter_for_test.h"

namespace ddpm {
namespace {

using cpu::normals;
using cpu::random_params;

UNetConfig small(int channels, int height, int width, int head_dim = 0) {
  return {.in_channels = channels,
          .out_channels = channels,
          .height = height,
          .width = width,
          .block_out_channels = {8, 24},
          .attention = {false, true},
          .layers_per_block = 1,
          .norm_num_groups = 4,
          .dropout = 0,
          .attention_head_dim = head_dim};
}

std::vector<UNetConfig> nets() {
  std::vector<UNetConfig> all = cpu::varied_configs();
  all.insert(all.begin(), {small(1, 8, 12), small(3, 10, 6, 8), small(4, 6, 6)});
  return all;
}

// Of what is not 0: of the gradient of a table only the rows that were used.
double rms(std::span<const double> v) {
  double sum = 0, count = 1e-300;
  for (const double x : v) {
    sum += x * x;
    count += x != 0 ? 1 : 0;
  }
  return std::sqrt(sum / count);
}

// Float32 rounds each of the network's ~40 layers to 6e-8 relative; errors of that size add up like
// a random walk through residual sums (sqrt(40) * 6e-8 = 4e-7) and group norm amplifies them by at
// most a small factor. 5e-6 of the value's rms leaves a factor of ten; every wrong index or
// coefficient is off by more than 1e-2.
constexpr double kTol = 5e-6;

// Winograd's F(4x4, 3x3) enlarges the rounding of its products: along one axis the root of the sum
// over k of (A[k] |G[k]| |B[k]|)^2, over that of the direct form's three taps, is at most 5.7 (the
// last output of a tile; 4.9 for the weight gradient). Both axes at once are that bad for one
// output in sixteen only, and an output sums rounding of many layers; one factor covers it.
double growth(cpu::Profile profile) { return profile == cpu::Profile::f32 ? 5.7 : 1; }

// The weight gradients of layers on the time's embedding are sums of three products, one an image:
// their rounding follows each value, which may be well above the rms where the embedding is.
bool of_time(const std::string& what) {
  return what.find("time_emb") != std::string::npos && what.ends_with(".weight");
}

void expect_close(std::span<const float> got, const Doubles& want, double tolerance,
                  const std::string& what) {
  ASSERT_EQ(got.size(), want.size()) << what;
  const double scale = rms(want) + 1e-6;
  for (std::size_t i = 0; i < want.size(); ++i) {
    const double size = of_time(what) ? std::max(scale, std::abs(want[i])) : scale;
    ASSERT_NEAR(got[i], want[i], tolerance * 8 * size) << what << "[" << i << "]";  // 8 sigma
  }
}

class EngineProfile : public testing::TestWithParam<cpu::Profile> {};
INSTANTIATE_TEST_SUITE_P(All, EngineProfile,
                         testing::Values(cpu::Profile::f32, cpu::Profile::f32_direct),
                         [](const auto& p) {
                           return p.param == cpu::Profile::f32 ? "f32" : "f32_direct";
                         });

const std::vector<double> kTimes = {0, 999, 12.5, 400, 77, 3, 640};

// A table of times has whole ones alone.
std::vector<double> times_for(const UNetConfig& config, std::size_t images) {
  std::vector<double> times;
  for (std::size_t i = 0; i < images; ++i) times.push_back(kTimes[i % kTimes.size()]);
  if (config.time_embedding_type != TimeEmbedding::learned) return times;
  for (double& t : times) t = std::floor(t);
  return times;
}

TEST_P(EngineProfile, ForwardAgreesWithTheDoubleInterpreter) {
  ThreadPool pool(2);
  for (const UNetConfig& config : nets()) {
    const Graph g = unet(config);
    const Params params = random_params(g);
    const DoubleParams doubles = to_doubles(params);
    auto denoiser = cpu::make_denoiser(g, params, 3, pool, GetParam());
    const std::size_t size = denoiser->shape().size();
    const std::size_t out_size = denoiser->out_shape().size();
    const auto x = normals(3 * size, 1);
    const auto times = times_for(config, 3);
    const auto labels = cpu::labels_for(config, 3);
    std::vector<float> out(3 * out_size);
    denoiser->predict(x, times, labels, out);
    Interpreter oracle(g, doubles);
    for (const int n : {0, 2}) {
      oracle.run({Doubles(x.begin() + n * size, x.begin() + (n + 1) * size)}, times[n], true,
                 labels[n]);
      expect_close(std::span(out).subspan(n * out_size, out_size), oracle.value(g.output),
                   kTol * growth(GetParam()), "out");
    }
  }
}

struct Step {
  std::vector<float> x, d_out;
  std::vector<double> time;
  std::vector<int> label;
  std::vector<std::uint64_t> sample;
  std::vector<int> slices;
};

Step make_step(const UNetConfig& config, int images) {
  const std::size_t pixels = std::size_t{1} * config.height * config.width * images;
  Step step{.x = normals(pixels * config.in_channels, 2),
            .d_out = normals(pixels * config.out_channels, 3),
            .time = times_for(config, images),
            .label = cpu::labels_for(config, images),
            .sample = {},
            .slices = slice_sizes(images)};
  for (int i = 0; i < images; ++i) step.sample.push_back(1000 + i);
  return step;
}

// One training step's forwards and backwards, `at_once` slices at a time.
void run_slices(Learner& learner, const Step& step, std::size_t at_once, std::uint32_t number = 1) {
  const std::size_t size = step.x.size() / step.sample.size();
  const std::size_t out_size = step.d_out.size() / step.sample.size();
  std::size_t first = 0;
  for (std::size_t s = 0; s < step.slices.size(); s += at_once) {
    const auto slices =
        std::span(step.slices).subspan(s, std::min(at_once, step.slices.size() - s));
    std::size_t n = 0;
    for (const int slice : slices) n += slice;
    learner.forward({.x = std::span(step.x).subspan(first * size, n * size),
                     .time = std::span(step.time).subspan(first, n),
                     .label = std::span(step.label).subspan(first, n),
                     .sample = std::span(step.sample).subspan(first, n),
                     .slices = slices,
                     .seed = 9,
                     .step = number});
    learner.backward(std::span(step.d_out).subspan(first * out_size, n * out_size));
    first += n;
  }
}

TEST_P(EngineProfile, GradientsAgreeWithTheDoubleInterpreter) {
  ThreadPool pool(2);
  for (const UNetConfig& config : nets()) {
    const Graph g = unet(config);
    const Params params = random_params(g);
    constexpr int kImages = 2;
    auto learner = cpu::make_learner(g, params, kImages, 1, pool, GetParam());
    const Step step = make_step(config, kImages);
    run_slices(*learner, step, 1);
    const GradientGraph backward = gradient(g, {});
    const DoubleParams doubles = to_doubles(params);
    Interpreter oracle(backward.graph, doubles);
    const auto image = [](const std::vector<float>& all, int n) {
      const auto size = static_cast<std::ptrdiff_t>(all.size() / kImages);
      return Doubles(all.begin() + n * size, all.begin() + (n + 1) * size);
    };
    for (int n = 0; n < kImages; ++n) {
      oracle.run({image(step.x, n), image(step.d_out, n)}, step.time[n], true, step.label[n]);
    }
    const Params got = learner->gradients();
    for (const ParamSpec& spec : g.params()) {
      // The bias of to_k has gradient 0 in theory (softmax ignores a constant): only rounding is
      // left of it. Fourier frequencies have none.
      if (spec.name.find(".to_k.bias") != std::string::npos) continue;
      if (config.time_embedding_type == TimeEmbedding::fourier && spec.name == "time_proj.weight") {
        for (const float d : got.tensor(spec.name)) EXPECT_EQ(d, 0);
        continue;
      }
      expect_close(got.tensor(spec.name), oracle.gradients.at(spec.name), kTol * growth(GetParam()),
                   spec.name);
    }
  }
}

class IsaTest : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    if (!cpu::set_isa(GetParam())) GTEST_SKIP() << "this CPU has no " << GetParam();
  }
  void TearDown() override { cpu::set_isa(""); }
};

std::vector<float> predict(const UNetConfig& config, const Params& params, int threads, int batch,
                           int images) {
  ThreadPool pool(threads);
  auto denoiser = cpu::make_denoiser(unet(config), params, batch, pool);
  const std::size_t size = denoiser->shape().size(), out_size = denoiser->out_shape().size();
  const auto x = normals(images * size, 1);
  const auto times = times_for(config, images);
  const auto labels = cpu::labels_for(config, images);
  std::vector<float> out(images * out_size);
  for (int first = 0; first < images; first += batch) {
    const int n = std::min(batch, images - first);
    denoiser->predict(std::span(x).subspan(first * size, n * size),
                      std::span(times).subspan(first, n), std::span(labels).subspan(first, n),
                      std::span(out).subspan(first * out_size, n * out_size));
  }
  return out;
}

std::vector<UNetConfig> dropout_nets() {
  std::vector<UNetConfig> all = cpu::varied_configs(0.3);
  all.push_back(small(3, 10, 6, 8));
  all.back().dropout = 0.3;
  return all;
}

TEST_P(IsaTest, EveryImageHasTheSameBitsForAnyBatchAndThreads) {
  for (const UNetConfig& config : dropout_nets()) {
    const Params params = random_params(unet(config));
    cpu::set_isa("");
    const auto want = predict(config, params, 1, 7, 7);
    ASSERT_TRUE(cpu::set_isa(GetParam()));
    for (const int threads : {1, 2, 3}) {
      for (const int batch : {1, 3, 7}) {
        EXPECT_EQ(predict(config, params, threads, batch, 7), want)
            << threads << " threads, batch " << batch;
      }
    }
  }
}

// Sixteen go through the network together.
TEST(Engine, ABatchLargerThanGoesThroughTogetherHasTheSameBits) {
  const UNetConfig config = cpu::varied_configs()[0];
  const Params params = random_params(unet(config));
  EXPECT_EQ(predict(config, params, 2, 35, 35), predict(config, params, 2, 5, 35));
}

Params train(const UNetConfig& config, const Params& params, int threads, std::size_t at_once,
             int steps) {
  ThreadPool pool(threads);
  const Step step = make_step(config, 33);  // slices of 16 and 17
  auto learner = cpu::make_learner(unet(config), params, 33, 2, pool);
  for (int s = 1; s <= steps; ++s) {
    run_slices(*learner, step, at_once, s);
    learner->update({.learning_rate = 1e-3, .ema = 0.9, .step = s});
  }
  Params all = learner->params();
  return all;
}

// For twenty steps: hash_matrix_slow_test.cpp.
TEST_P(IsaTest, WeightsAfterTrainingHaveTheSameBitsForAnyThreadsAndSlicesAtOnce) {
  const bool scalar = std::string(GetParam()) == "scalar";
  struct Case {
    int threads;
    std::size_t at_once;
  };
  const std::vector<Case> cases =
      scalar ? std::vector<Case>{{2, 2}} : std::vector<Case>{{1, 2}, {2, 1}, {3, 2}};
  const auto configs = dropout_nets();
  for (std::size_t i = 0; i < configs.size(); ++i) {
    constexpr int kSteps = 2;
    const Params params = random_params(unet(configs[i]));
    cpu::set_isa("");
    const Params want = train(configs[i], params, 1, 1, kSteps);
    ASSERT_TRUE(cpu::set_isa(GetParam()));
    for (const auto& [threads, at_once] : cases) {
      const Params got = train(configs[i], params, threads, at_once, kSteps);
      EXPECT_TRUE(std::equal(got.all().begin(), got.all().end(), want.all().begin()))
          << "net " << i << ", " << threads << " threads, " << at_once << " slices at once";
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, IsaTest, testing::Values("scalar", "avx2", "avx512", "neon"),
                         [](const auto& isa) { return std::string(isa.param); });

TEST(Engine, DropoutKeepsTheMeanAndIsOffInSampling) {
  Graph g;
  g.output = g.dropout(g.input({16, 16, 16}), 0.25);
  ThreadPool pool(1);
  const Params none(g.params());
  auto learner = cpu::make_learner(g, none, 4, 1, pool);
  const std::vector<float> ones(4 * 4096, 1.0f);
  const std::vector<double> time(4);
  const std::vector<std::uint64_t> sample = {1, 2, 3, 4};
  const std::vector<int> slices = {4};
  const auto out = learner->forward({.x = ones, .time = time, .sample = sample, .slices = slices});
  double kept = 0;
  for (const float y : out) {
    ASSERT_TRUE(y == 0 || y == 1 / 0.75f) << y;
    kept += y != 0;
  }
  // Binomial: 16384 trials of 0.75, standard deviation 0.0034; 4 sigma.
  EXPECT_NEAR(kept / 16384, 0.75, 0.0136);
  auto denoiser = cpu::make_denoiser(g, none, 4, pool);
  std::vector<float> same(ones.size());
  denoiser->predict(ones, time, same);
  EXPECT_EQ(same, ones);
}

}  // namespace
}  // namespace ddpm
