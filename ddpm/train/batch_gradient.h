// The gradient of a batch, gathered over micro-batches of whole slices.
#pragma once

#include <vector>

#include "ddpm/base/thread_pool.h"
#include "ddpm/train/batcher.h"
#include "ddpm/train/config.h"
#include "ddpm/train/task.h"

namespace ddpm {

/// Images of the largest micro-batch.
std::size_t largest_micro_batch(const TrainConfig& config);

class BatchGradient {
 public:
  /// data_size: images of the data set. The references must outlive it.
  BatchGradient(const TrainConfig& config, std::size_t data_size, Task& task, ThreadPool& pool);

  /// Leaves the gradient of the batch's mean loss in `learner`. step: 1-based. Returns the mean
  /// loss, summed over the images in their order. Throws Error (bad_input) for an image that cannot
  /// be decoded.
  double accumulate(Learner& learner, std::int64_t step);

 private:
  void prepare(std::uint64_t first, std::size_t done, std::size_t count);
  void learn(Learner& learner, std::int64_t step, std::span<const int> slices, std::size_t count);

  const TrainConfig& config_;
  Task& task_;
  ThreadPool& pool_;
  DataOrder order_;
  std::vector<std::vector<int>> groups_;
  // One a sample of the micro-batch.
  std::vector<Place> places_;
  std::vector<float> x_, d_out_;
  std::vector<double> time_;
  std::vector<int> label_;
  std::vector<std::uint64_t> sample_;
  std::vector<double> loss_;  // [batch]
};

}  // namespace ddpm
