// Measures a network on this machine: for `ddpm bench`.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "ddpm/engine/cpu/cpu.h"
#include "ddpm/engine/cpu/op_clock.h"

namespace ddpm::cli {

/// One kind of job: a forward pass, or a training step. All of it for one image.
struct JobTime {
  double ms = 0;            // median of the repeats
  int repeats = 0;          // after warm-up
  double direct_flops = 0;  // of the convolutions, computed directly
  double real_flops = 0;    // that the chosen algorithms do; attention's products included
  double limit_ms = 0;      // at the FMA peak: 3x3 of stride 1 at a quarter of the direct FLOPs
  std::map<std::string, cpu::OpTime> ops;  // means
};

struct BenchJob {
  const Graph& graph;
  const Params& params;
  int batch;
  cpu::Profile profile;
  double fma_peak;  // GFLOP/s of the pool
  ThreadPool& pool;
};

/// Noise in, at times of a schedule of 1000 steps.
JobTime time_forward(const BenchJob& job);

/// Forward, derivative of the squared error, backward, clip, Adam, EMA; in the slices of training.
JobTime time_training_step(const BenchJob& job);

/// Weights of the usual size for a network without any. init_unet() would do, but for the values of
/// 1e-10 that it starts the last layers of blocks with: their gradients' squares are subnormal.
Params bench_weights(const Graph& graph);

/// The largest resident memory of this process so far, in MiB; 0 when the system does not say.
double peak_memory();

}  // namespace ddpm::cli
