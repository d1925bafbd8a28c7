// Convolutions of the clothes net and of CIFAR-10's as a fraction of this machine's FMA peak,
// measured in the same run: `fraction_of_peak` is the rate of real multiply-adds over `threads`
// times the peak of one core.
#include <benchmark/benchmark.h>

#include <chrono>

#include "ddpm/base/philox.h"
#include "ddpm/engine/cpu/conv_tables.h"
#include "ddpm/engine/cpu/program.h"
#include "ddpm/net/gradient.h"

namespace ddpm::cpu {
namespace {

// The panel product with all its data in L1 is the fastest multiply-add loop we have: every
// accumulator lies in a register.
double measure_peak() {
  constexpr int kChannels = 64, kPixels = 48;
  const Panels panels(32);
  std::vector<float> x(kPixels * kChannels, 0.5f), w(kChannels * panels.width, 0.1f);
  std::vector<float> y(kPixels * panels.width), zeros(kChannels);
  std::vector<std::int32_t> taps(kPixels);
  for (int i = 0; i < kPixels; ++i) taps[i] = i * kChannels;
  double best = 0;
  for (int repeat = 0; repeat < 20; ++repeat) {
    constexpr int kRuns = 2000;
    const auto start = std::chrono::steady_clock::now();
    for (int i = 0; i < kRuns; ++i) {
      kernels().panel_product({.x = x.data(),
                               .x_image = 0,
                               .taps = taps.data(),
                               .pixels = kPixels,
                               .n_taps = 1,
                               .channels = kChannels,
                               .zeros = zeros.data(),
                               .w = w.data(),
                               .bias = nullptr,
                               .alpha = 1,
                               .y = y.data(),
                               .y_stride = static_cast<std::size_t>(panels.width),
                               .vectors = 2,
                               .columns = panels.width,
                               .begin = 0,
                               .end = kPixels});
    }
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    best = std::max(best, 2.0 * kRuns * kPixels * kChannels * panels.width / seconds.count());
  }
  return best;
}

double peak() {
  static const double value = measure_peak();
  return value;
}

enum class Pass { forward, data_gradient, weight_gradient };

// The rows of one convolution's program: input, conv, d_out, conv_dw, conv_dx.
void run_conv(benchmark::State& state, Pass what) {
  const int channels = static_cast<int>(state.range(0)), outputs = static_cast<int>(state.range(1));
  const int side = static_cast<int>(state.range(2)), kernel = static_cast<int>(state.range(3));
  constexpr int kImages = 16;
  ThreadPool pool(static_cast<int>(state.range(4)));
  Graph g;
  g.output =
      g.conv(g.input({channels, side, side}), "c", outputs, kernel, 1, kernel / 2, kernel / 2);
  const GradientGraph backward = gradient(g, {.params = true, .input = true});
  Program program(backward.graph, kImages, pool);
  Params params(g.params()), sum(g.params());
  fill_normal({.seed = 1}, params.all());
  program.pack(params);
  for (const Value v : input_rows(backward.graph)) {
    std::vector<float> values(kImages * backward.graph.shape(v).size());
    fill_normal({.seed = 2}, values);
    write_planar(program.view(v), values);
  }
  const std::vector<int> slices = {kImages};
  const std::vector<Params*> gradients = {&sum};
  const Run run{.images = kImages, .slices = slices, .gradients = gradients};
  const int row = what == Pass::forward ? 1 : what == Pass::weight_gradient ? 3 : 4;
  for (auto _ : state) program.run(row, row + 1, run);
  const double flops = 2.0 * kImages * side * side * channels * outputs * kernel * kernel;
  state.counters["GFLOP/s"] =
      benchmark::Counter(flops * 1e-9, benchmark::Counter::kIsIterationInvariantRate);
  state.counters["fraction_of_peak"] = benchmark::Counter(
      flops / (peak() * pool.threads()), benchmark::Counter::kIsIterationInvariantRate);
}

void layers(benchmark::internal::Benchmark* b) {
  b->ArgNames({"in", "out", "side", "kernel", "threads"})
      ->UseRealTime()
      ->Unit(benchmark::kMillisecond);
  for (const int threads : {1, 2}) {
    b->Args({32, 32, 28, 3, threads});
    b->Args({64, 64, 14, 3, threads});
    b->Args({128, 64, 14, 3, threads});
    b->Args({128, 128, 7, 3, threads});
    b->Args({64, 64, 14, 1, threads});
    b->Args({128, 128, 32, 3, threads});  // CIFAR-10's net
    b->Args({256, 256, 16, 3, threads});
    b->Args({512, 256, 16, 3, threads});
    b->Args({256, 256, 8, 3, threads});
    b->Args({256, 256, 4, 3, threads});
    b->Args({256, 256, 16, 1, threads});
    b->Args({256, 128, 32, 1, threads});
  }
}

BENCHMARK_CAPTURE(run_conv, forward, Pass::forward)->Apply(layers);
BENCHMARK_CAPTURE(run_conv, data_gradient, Pass::data_gradient)->Apply(layers);
BENCHMARK_CAPTURE(run_conv, weight_gradient, Pass::weight_gradient)->Apply(layers);

}  // namespace
}  // namespace ddpm::cpu
