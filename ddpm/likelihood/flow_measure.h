// The probability-flow likelihood of a network over the images of a data set.
#pragma once

#include <functional>

#include "ddpm/diffusion/flow.h"
#include "ddpm/diffusion/prediction.h"
#include "ddpm/likelihood/mean.h"
#include "ddpm/likelihood/reader.h"

namespace ddpm {

/// Images of at most so many numbers get the exact trace, larger ones Hutchinson's estimate.
inline constexpr std::size_t kExactTrace = 16;

/// Where the flow starts, as a part of the whole time: score_sde's.
inline constexpr double kFlowStart = 1e-5;

struct FlowOptions {
  std::uint64_t seed = 0;
  Rk45Options tolerance = {};
};

struct FlowImage {
  double bits_per_dim = 0;
  int evaluations = 0;  // of the network, each with one derivative
};

struct FlowReport {
  std::vector<FlowImage> images;
  MeanError bits_per_dim;
  std::int64_t evaluations = 0;
  bool exact_trace = false;
};

/// eps = e.x x + e.out out at real t in (0, T] of the line; of `mu`, the mean of a step of length 1
/// (or of t, below 1).
Linear eps_on_line(const TimeLine& line, double t, Prediction prediction);

using FlowObserver = std::function<void(std::size_t images_done, std::int64_t evaluations)>;

/// Bits per dimension of each image. An image's number depends on (seed, image) alone.
FlowReport measure_flow(VectorJacobian& network, const Schedule& schedule, Prediction prediction,
                        const TestImages& images, const FlowOptions& options,
                        const FlowObserver& observer = {});

}  // namespace ddpm
