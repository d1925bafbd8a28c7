// v^T d out / d x of whole networks.
#include <gtest/gtest.h>

#include <cmath>

#include "ddpm/base/error.h"
#include "ddpm/engine/cpu/cpu.h"
#include "ddpm/engine/cpu/kernels.h"
#include "ddpm/engine/cpu/nets_for_test.h"
#include "ddpm/net/gradient.h"
#include "ddpm/net/interpreter_for_test.h"

namespace ddpm::cpu {
namespace {

std::vector<UNetConfig> nets() {
  std::vector<UNetConfig> all = varied_configs();
  all.push_back({.in_channels = 1,
                 .out_channels = 1,
                 .height = 10,
                 .width = 6,
                 .block_out_channels = {16, 32},
                 .attention = {false, true},
                 .layers_per_block = 1,
                 .norm_num_groups = 8,
                 .dropout = 0.4});
  return all;
}

// Whole times, which tables need; labels as the config takes them.
struct Call {
  std::vector<float> x, v;
  std::vector<double> time = {1, 999, 12, 400, 77};
  std::vector<int> label;

  Call(const UNetConfig& c, int images) : label(labels_for(c, images)) {
    const std::size_t pixels = std::size_t{1} * c.height * c.width * images;
    x = normals(pixels * c.in_channels, 1);
    v = normals(pixels * c.out_channels, 2);
    time.resize(images);
  }
};

struct Result {
  std::vector<float> out, d_x;
  bool operator==(const Result&) const = default;
};

// `batch` images at a time.
Result run(VectorJacobian& f, const Call& call, std::size_t batch) {
  const std::size_t size = f.shape().size(), out_size = f.out_shape().size();
  Result result{{}, std::vector<float>(call.x.size())};
  for (std::size_t first = 0; first < call.time.size(); first += batch) {
    const std::size_t n = std::min(batch, call.time.size() - first);
    const auto out =
        f.forward(std::span(call.x).subspan(first * size, n * size),
                  std::span(call.time).subspan(first, n), std::span(call.label).subspan(first, n));
    result.out.insert(result.out.end(), out.begin(), out.end());
    f.backward(std::span(call.v).subspan(first * out_size, n * out_size),
               std::span(result.d_x).subspan(first * size, n * size));
  }
  return result;
}

Doubles image(const std::vector<float>& all, std::size_t size, int n) {
  const auto first = all.begin() + static_cast<std::ptrdiff_t>(n * size);
  return {first, first + static_cast<std::ptrdiff_t>(size)};
}

// Float32 and Winograd as in engine_test.cpp: 5e-6 times 5.7 of the values' rms, eight sigma.
constexpr double kTol = 5e-6 * 5.7 * 8;

void expect_close(const Doubles& got, const Doubles& want) {
  double squares = 0;
  for (const double w : want) squares += w * w;
  const double rms = std::sqrt(squares / static_cast<double>(want.size()));
  for (std::size_t i = 0; i < want.size(); ++i) ASSERT_NEAR(got[i], want[i], kTol * rms) << i;
}

TEST(VectorJacobian, AgreesWithTheDoubleInterpreter) {
  ThreadPool pool(2);
  for (const UNetConfig& config : nets()) {
    const Graph g = unet(config);
    const Params params = random_params(g);
    const DoubleParams doubles = to_doubles(params);
    const auto f = make_vector_jacobian(g, params, 3, pool);
    const Call call(config, 3);
    const Result got = run(*f, call, 3);
    const GradientGraph backward = gradient(g, {.params = false, .input = true});
    Interpreter oracle(backward.graph, doubles);
    const std::size_t size = f->shape().size(), out_size = f->out_shape().size();
    for (const int n : {0, 2}) {
      oracle.run({image(call.x, size, n), image(call.v, out_size, n)}, call.time[n], true,
                 call.label[n]);
      expect_close(image(got.out, out_size, n), oracle.value(g.output));
      expect_close(image(got.d_x, size, n), oracle.value(backward.d_input));
    }
  }
}

// <v, f(x + h u) - f(x - h u)> / 2h of the interpreter's forward rows alone, against <d_x, u>.
// Central differences in double are good to 1e-7 at h = 1e-4 here; what is left is the engine's
// float32.
TEST(VectorJacobian, AgreesWithNumericDerivatives) {
  ThreadPool pool(2);
  for (const UNetConfig& config : nets()) {
    const Graph g = unet(config);
    const Params params = random_params(g);
    const DoubleParams doubles = to_doubles(params);
    const auto f = make_vector_jacobian(g, params, 1, pool);
    const Call call(config, 1);
    const Result got = run(*f, call, 1);
    Interpreter forward(g, doubles);
    const auto u = normals(call.x.size(), 9);
    const auto along = [&](double h) {
      Doubles x(call.x.begin(), call.x.end());
      for (std::size_t i = 0; i < x.size(); ++i) x[i] += h * u[i];
      forward.run({x}, call.time[0], true, call.label[0]);
      double sum = 0;
      for (std::size_t i = 0; i < call.v.size(); ++i) sum += call.v[i] * forward.value(g.output)[i];
      return sum;
    };
    double want = 0, scale = 0;
    for (std::size_t i = 0; i < u.size(); ++i) {
      want += double{got.d_x[i]} * u[i];
      scale += std::abs(double{got.d_x[i]} * u[i]);
    }
    EXPECT_NEAR((along(1e-4) - along(-1e-4)) / 2e-4, want, kTol * scale);
  }
}

TEST(VectorJacobian, ForwardHasTheBitsOfTheUnfoldedDenoiser) {
  ThreadPool pool(2);
  for (const UNetConfig& config : nets()) {
    const Graph g = unet(config);
    const Params params = random_params(g);
    const Call call(config, 3);
    const auto f = make_vector_jacobian(g, params, 3, pool);
    const auto denoiser = make_denoiser(g, params, 3, pool, Profile::f32, 2);
    std::vector<float> out(3 * denoiser->out_shape().size());
    denoiser->predict(call.x, call.time, call.label, out);
    EXPECT_EQ(run(*f, call, 3).out, out);
  }
}

TEST(VectorJacobian, HasTheSameBitsForAnyBatchThreadsAndInstructionSet) {
  for (const UNetConfig& config : nets()) {
    const Graph g = unet(config);
    const Params params = random_params(g);
    const Call call(config, 5);
    set_isa("");
    ThreadPool one(1);
    const Result want = run(*make_vector_jacobian(g, params, 5, one), call, 5);
    for (const char* isa : {"scalar", "avx2", "avx512", "neon"}) {
      if (!set_isa(isa)) continue;
      for (const int threads : {1, 3}) {
        ThreadPool pool(threads);
        const auto f = make_vector_jacobian(g, params, 5, pool);
        for (const int batch : {1, 2, 5}) {
          EXPECT_EQ(run(*f, call, batch), want) << isa << ", " << threads << ", " << batch;
        }
      }
    }
    set_isa("");
  }
}

TEST(VectorJacobian, BackwardMayBeCalledAgainForAnotherVector) {
  ThreadPool pool(1);
  const UNetConfig config = nets().back();
  const Graph g = unet(config);
  const Params params = random_params(g);
  const auto f = make_vector_jacobian(g, params, 2, pool);
  const Call call(config, 2);
  const Result first = run(*f, call, 2);
  std::vector<float> other(call.x.size()), again(call.x.size());
  f->backward(normals(call.v.size(), 3), other);
  EXPECT_NE(other, first.d_x);
  f->backward(call.v, again);
  EXPECT_EQ(again, first.d_x);
}

}  // namespace
}  // namespace ddpm::cpu
