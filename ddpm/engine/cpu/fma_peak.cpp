#include "ddpm/engine/cpu/fma_peak.h"

#include <algorithm>
#include <chrono>
#include <latch>
#include <numeric>
#include <vector>

#include "ddpm/engine/cpu/kernels.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ddpm/engine/cpu/fma_peak.cpp"
#include <hwy/foreach_target.h>
// After foreach_target.h:
#include "ddpm/engine/cpu/math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace ddpm::cpu::HWY_NAMESPACE {

// Independent chains: more than latency times ports of any core we know (4 x 2), few enough for
// AVX2's 16 registers. Each starts from a value of its own, or the compiler would merge equal ones.
constexpr int kChains = 12;

// Rounds of kChains multiply-adds over starts[kChains * width], which it overwrites, so that no
// round can be left out. x = 0.5 x + 1 tends to 2: no subnormal, no overflow.
double fma_chains(float* starts, int rounds) {
  V x[kChains];
#pragma GCC unroll 16
  for (int i = 0; i < kChains; ++i) x[i] = load(starts + i * kWidth);
  const V half = all(0.5f), one = all(1.0f);
  for (int round = 0; round < rounds; ++round) {
#pragma GCC unroll 16
    for (int i = 0; i < kChains; ++i) x[i] = fma(x[i], half, one);
  }
#pragma GCC unroll 16
  for (int i = 0; i < kChains; ++i) store(x[i], starts + i * kWidth);
  return 2.0 * rounds * kChains * kWidth;
}

}  // namespace ddpm::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ddpm::cpu {
namespace {

HWY_EXPORT(fma_chains);

}  // namespace

double measure_fma_peak(ThreadPool& pool) {
  constexpr int kRuns = 80, kRounds = 300'000, kFloats = 16 * 16;
  kernels();  // the choice of the instruction set
  std::vector<std::vector<float>> starts(pool.threads(), std::vector<float>(kFloats));
  std::vector<double> rates(pool.threads());
  double best = 0;
  for (int run = 0; run < kRuns; ++run) {
    for (auto& values : starts) std::iota(values.begin(), values.end(), 0.0f);
    std::latch all_here(pool.threads());  // a task that waits keeps its worker: one each, together
    pool.run(pool.threads(), [&](int task, int) {
      all_here.arrive_and_wait();
      const auto begin = std::chrono::steady_clock::now();
      const double flops = HWY_DYNAMIC_DISPATCH(fma_chains)(starts[task].data(), kRounds);
      const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
      rates[task] = flops / seconds.count();
    });
    best = std::max(best, std::accumulate(rates.begin(), rates.end(), 0.0));
  }
  return best * 1e-9;
}

}  // namespace ddpm::cpu
#endif  // HWY_ONCE
