// KID, precision and recall of features in memory. DDPM_FEATURES: a folder with a.npy and b.npy,
// [N, d] of float32, as bench/peers/scores.py makes them; without it they are noise.
#include <benchmark/benchmark.h>

#include <cstdlib>

#include "ddpm/base/file.h"
#include "ddpm/base/philox.h"
#include "ddpm/metrics/recipe.h"

namespace ddpm {
namespace {

constexpr int kRows = 10'000, kDims = 2048;

Features noise(std::uint64_t seed) {
  std::vector<float> values(std::size_t{kRows} * kDims);
  fill_normal({.seed = seed}, values);
  return {kDims, std::move(values)};
}

Features features(const char* name, std::uint64_t seed) {
  const char* folder = std::getenv("DDPM_FEATURES");
  if (folder == nullptr) return noise(seed);
  const std::string path = std::string(folder) + "/" + name;
  return to_features(value_or_throw(parse_npy(value_or_throw(read_file(path)), path)), path);
}

const Features& generated() {
  static const Features f = features("a.npy", 1);
  return f;
}
const Features& reference() {
  static const Features f = features("b.npy", 2);
  return f;
}

// As torch-fidelity computes them.
void kid(benchmark::State& state) {
  ThreadPool pool(ThreadPool::default_threads());
  KidOptions options = recipe_like("torch-fidelity").subsets;
  options.shrink = true;                              // of fewer than 1,000 images all
  const Features &a = generated(), &b = reference();  // read before the clock starts
  for (auto _ : state) {
    benchmark::DoNotOptimize(kernel_distance(a, b, options, pool).mean);
  }
}

void precision_recall(benchmark::State& state) {
  ThreadPool pool(ThreadPool::default_threads());
  const NeighbourOptions options = recipe_like("torch-fidelity").neighbours;
  const Features &a = generated(), &b = reference();
  for (auto _ : state) {
    benchmark::DoNotOptimize(neighbour_scores(a, b, options, pool).precision.value);
  }
}

BENCHMARK(kid)->UseRealTime()->Unit(benchmark::kMillisecond);
BENCHMARK(precision_recall)->UseRealTime()->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace ddpm
