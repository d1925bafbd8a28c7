// Figures of the paper that are drawn by running part of a sampler: what progressive and
// interpolate share.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "ddpm/cli/progress.h"
#include "ddpm/cli/signals.h"
#include "ddpm/engine/engine.h"
#include "ddpm/engine/runner.h"
#include "ddpm/image/image.h"
#include "ddpm/net/model.h"

namespace ddpm::cli {

/// Times of ancestral sampling, decreasing from T, `steps` of them (all of T for 0).
std::vector<int> figure_times(const Schedule& schedule, int steps);

/// Rows that a chain with these times runs from time `from` on.
std::int64_t rows_from(std::span<const int> times, int from);

/// `count` of the times (or all, if fewer), as evenly as can be: the first and the last among them.
std::vector<int> even_choice(std::span<const int> times, int count);

/// The one nearest to t.
int nearest_time(std::span<const int> times, int t);

/// Runs ancestral sampling on parts of its chain, and counts its calls.
class Chain {
 public:
  /// `total`: rows that the whole figure will run, for the progress. All must outlive it.
  Chain(const Model& model, Denoiser& denoiser, std::vector<int> times, std::int64_t total,
        std::uint64_t seed);

  /// After a row: it read x0 from x_t, and x is now x_s, s the next time (0: done).
  struct Seen {
    int t, s;
    std::span<const float> x, x0;
  };
  using See = std::function<void(const Seen&)>;

  /// Takes x, [n, C, H, W], from time `from` (T at the start) to clean data; the noise of image i
  /// is that of sample first + i * stride (stride 0: all get the same).
  void run(std::span<float> x, int from, std::uint64_t first, std::uint64_t stride,
           const See& see = {});

  void finish() { progress_.finish(); }

 private:
  Denoiser& denoiser_;
  std::vector<int> times_;
  Plan plan_;
  std::uint64_t seed_;
  std::int64_t done_ = 0;
  Progress progress_;
  SignalWatch watch_;
};

}  // namespace ddpm::cli
