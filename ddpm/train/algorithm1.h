// One training step: Algorithm 1 of the paper, over micro-batches of whole slices.
#pragma once

#include <cstdint>
#include <vector>

#include "ddpm/base/thread_pool.h"
#include "ddpm/data/dataset.h"
#include "ddpm/diffusion/schedule.h"
#include "ddpm/engine/engine.h"
#include "ddpm/train/batcher.h"
#include "ddpm/train/config.h"

namespace ddpm {

/// Linear warm-up: learning_rate * min(1, step / warmup). step is 1-based, so the first step
/// already learns.
double learning_rate_at(const TrainConfig& config, std::int64_t step);

/// min(ema, (1 + n) / (10 + n)) after n = step updates, so that young averages forget their start.
double ema_decay_at(const TrainConfig& config, std::int64_t step);

/// The optimiser's settings for a 1-based step.
AdamStep adam_step(const TrainConfig& config, std::int64_t step);

/// Draws x_t and targets and lets a Learner gather the gradient of L_simple.
class Algorithm1 {
 public:
  /// All references must outlive it.
  Algorithm1(const RunConfig& config, const Dataset& data, const Schedule& schedule,
             ThreadPool& pool);

  /// Leaves the gradient of the batch's mean loss in `learner`. step: 1-based. Returns the mean
  /// loss, summed over the images in their order. Throws Error (bad_input) for an image that cannot
  /// be decoded.
  double accumulate(Learner& learner, std::int64_t step);

 private:
  struct Scratch {  // of one worker
    std::vector<std::uint8_t> bytes;
    std::vector<float> x0, eps;
  };

  void prepare(std::uint64_t first, int count);
  void prepare_image(std::uint64_t position, std::size_t image, int i, Scratch& scratch);
  double learn(Learner& learner, std::int64_t step, std::span<const int> slices, int count,
               double sum);

  const RunConfig& config_;
  const Dataset& data_;
  const Schedule& schedule_;
  ThreadPool& pool_;
  DataOrder order_;
  std::vector<std::vector<int>> groups_;
  std::vector<Scratch> scratch_;
  std::vector<float> x_t_, target_, d_out_;  // [micro-batch, C, H, W]
  std::vector<double> time_;
  std::vector<std::uint64_t> sample_;
};

/// Mirrors a planar image [C, H, W] left to right.
void mirror(std::span<std::uint8_t> chw, Shape shape);

}  // namespace ddpm
