// The bound of a model over the images of a data set, in bits per dimension.
#pragma once

#include <functional>
#include <vector>

#include "ddpm/likelihood/mean.h"
#include "ddpm/likelihood/process.h"
#include "ddpm/likelihood/reader.h"

namespace ddpm {

/// What one image costs: L_T, L_1 + ... + L_{T-1}, L_0.
struct ImageBound {
  double prior = 0, between = 0, decoder = 0;

  double rate() const { return prior + between; }
  double total() const { return rate() + decoder; }
};

/// L_{t-1} over the images that were asked about at t.
struct TermMean {
  int t = 0;  // of the whole process
  double bits_per_dim = 0, x0_mse = 0, eps_mse = 0;
  std::int64_t images = 0;
};

struct BoundReport {
  int steps = 0;
  std::vector<ImageBound> images;
  std::vector<TermMean> terms;  // of every t that was asked about, t increasing
  ImageBound mean;
  double standard_error = NAN;  // of the total; of an estimate, its own noise included
};

struct MeasureOptions {
  std::uint64_t seed = 0;
  /// 0: every term of every image. K: besides L_T and L_0, at most K terms an image, weighted
  /// (EstimateTimes): unbiased, an image's number and the mean.
  int estimate = 0;
};

/// Told now and then: readings done and to do, and the bound of the images so far.
using MeasureObserver = std::function<void(std::int64_t done, std::int64_t total, double bits)>;

/// Network evaluations that measure_bounds will take.
std::int64_t evaluations(std::span<const BoundProcess> processes, std::size_t images,
                         const MeasureOptions& options);

/// The bound of several processes of one model in one pass: where their times meet, they share the
/// network's output. `also` sees every reading (for fitting variances). An estimate takes one
/// process, of at least 2 steps (Error otherwise).
std::vector<BoundReport> measure_bounds(std::span<const BoundProcess> processes,
                                        const Schedule& whole, Denoiser& denoiser,
                                        const TestImages& images, const MeasureOptions& options,
                                        const MeasureObserver& observer = {},
                                        const Reader::Sink& also = {});

}  // namespace ddpm
