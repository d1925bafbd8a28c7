#include "ddpm/train/batch_gradient.h"

#include <algorithm>
#include <exception>
#include <numeric>

#include "ddpm/base/error.h"

namespace ddpm {
namespace {

// A pool's tasks may not throw: the first one's error is thrown when all are done.
template <class Body>
void run_all(ThreadPool& pool, std::size_t count, const Body& body) {
  std::vector<std::exception_ptr> errors(count);
  pool.run(static_cast<int>(count), [&](int i, int) {
    try {
      body(i);
    } catch (...) {
      errors[i] = std::current_exception();
    }
  });
  for (const auto& error : errors) {
    if (error) std::rethrow_exception(error);
  }
}

}  // namespace

std::size_t largest_micro_batch(const TrainConfig& config) {
  std::size_t largest = 0;
  for (const auto& slices : micro_batches(config.batch, config.micro_batch)) {
    largest = std::max(largest, std::accumulate(slices.begin(), slices.end(), std::size_t{0}));
  }
  return largest;
}

BatchGradient::BatchGradient(const TrainConfig& config, std::size_t data_size, Task& task,
                             ThreadPool& pool)
    : config_(config),
      task_(task),
      pool_(pool),
      order_(config.seed, data_size),
      groups_(micro_batches(config.batch, config.micro_batch)),
      loss_(static_cast<std::size_t>(config.batch)) {
  const std::size_t largest = largest_micro_batch(config);
  places_.resize(largest);
  x_.resize(largest * task.in_shape().size());
  d_out_.resize(largest * task.out_shape().size());
  time_.resize(largest);
  label_.resize(largest);
  sample_.resize(largest);
}

double BatchGradient::accumulate(Learner& learner, std::int64_t step) {
  const std::uint64_t first = static_cast<std::uint64_t>(step - 1) * loss_.size();
  std::size_t done = 0;
  for (const auto& slices : groups_) {
    const auto count = std::accumulate(slices.begin(), slices.end(), std::size_t{0});
    prepare(first, done, count);
    learn(learner, step, slices, count);
    done += count;
  }
  task_.end_step();
  double sum = 0;  // image by image, so that the grouping into micro-batches does not round
  for (const double loss : loss_) sum += loss;
  return sum / static_cast<double>(loss_.size());
}

// Fills the micro-batch with `count` samples of the batch that begins at position `first`, of which
// `done` came before.
void BatchGradient::prepare(std::uint64_t first, std::size_t done, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    sample_[i] = first + done + i;
    places_[i] = {.position = sample_[i],
                  .image = order_.at(sample_[i]),
                  .in_batch = done + i,
                  .in_micro_batch = i};
  }
  const std::size_t n = task_.in_shape().size();
  run_all(pool_, count, [&](int i) {
    NetworkInput input{.x = std::span(x_).subspan(i * n, n)};
    task_.prepare(places_[i], input);
    time_[i] = input.time;
    label_[i] = input.label;
  });
}

// Forward, loss and backward of the prepared micro-batch.
void BatchGradient::learn(Learner& learner, std::int64_t step, std::span<const int> slices,
                          std::size_t count) {
  const std::size_t n = task_.in_shape().size(), n_out = task_.out_shape().size();
  const std::span<const float> out = learner.forward({.x = std::span(x_).first(count * n),
                                                      .time = std::span(time_).first(count),
                                                      .label = std::span(label_).first(count),
                                                      .sample = std::span(sample_).first(count),
                                                      .slices = slices,
                                                      .seed = config_.seed,
                                                      .step = static_cast<std::uint32_t>(step)});
  DDPM_CHECK(out.size() == count * n_out, "{} of {}", out.size(), count * n_out);
  run_all(pool_, count, [&](int i) {
    loss_[places_[i].in_batch] =
        task_.loss(places_[i], out.subspan(i * n_out, n_out), 1.0 / config_.batch,
                   std::span(d_out_).subspan(i * n_out, n_out));
  });
  learner.backward(std::span(d_out_).first(count * n_out));
}

}  // namespace ddpm
