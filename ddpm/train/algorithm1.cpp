#include "ddpm/train/algorithm1.h"

#include <algorithm>
#include <exception>
#include <numeric>

#include "ddpm/base/error.h"
#include "ddpm/base/philox.h"
#include "ddpm/diffusion/forward.h"
#include "ddpm/diffusion/loss.h"

namespace ddpm {

double learning_rate_at(const TrainConfig& config, std::int64_t step) {
  if (step >= config.warmup) return config.learning_rate;
  return config.learning_rate * (static_cast<double>(step) / static_cast<double>(config.warmup));
}

double ema_decay_at(const TrainConfig& config, std::int64_t step) {
  const auto n = static_cast<double>(step);
  return std::min(config.ema, (1 + n) / (10 + n));
}

AdamStep adam_step(const TrainConfig& config, std::int64_t step) {
  return {.learning_rate = learning_rate_at(config, step),
          .clip = config.clip,
          .ema = ema_decay_at(config, step),
          .step = step};
}

void mirror(std::span<std::uint8_t> chw, Shape shape) {
  for (std::size_t row = 0; row < chw.size(); row += static_cast<std::size_t>(shape.w)) {
    std::ranges::reverse(chw.subspan(row, static_cast<std::size_t>(shape.w)));
  }
}

Algorithm1::Algorithm1(const RunConfig& config, const Dataset& data, const Schedule& schedule,
                       ThreadPool& pool)
    : config_(config),
      data_(data),
      schedule_(schedule),
      pool_(pool),
      order_(config.train.seed, data.size()),
      groups_(micro_batches(config.train.batch, config.train.micro_batch)) {
  const std::size_t elements = data.shape().size();
  std::size_t largest = 0;
  for (const auto& slices : groups_) {
    largest = std::max(largest, std::accumulate(slices.begin(), slices.end(), std::size_t{0}));
  }
  for (auto* buffer : {&x_t_, &target_, &d_out_}) buffer->resize(largest * elements);
  time_.resize(largest);
  sample_.resize(largest);
  scratch_.resize(static_cast<std::size_t>(pool.threads()));
  for (Scratch& s : scratch_) {
    s.bytes.resize(elements);
    s.x0.resize(elements);
    s.eps.resize(elements);
  }
}

double Algorithm1::accumulate(Learner& learner, std::int64_t step) {
  const auto batch = static_cast<std::uint64_t>(config_.train.batch);
  std::uint64_t position = static_cast<std::uint64_t>(step - 1) * batch;
  double sum = 0;  // image by image, so that the grouping into micro-batches does not round
  for (const auto& slices : groups_) {
    const int count = std::accumulate(slices.begin(), slices.end(), 0);
    prepare(position, count);
    sum = learn(learner, step, slices, count, sum);
    position += static_cast<std::uint64_t>(count);
  }
  return sum / static_cast<double>(batch);
}

// Fills x_t_, target_, time_ and sample_ for the `count` samples from `first` on.
void Algorithm1::prepare(std::uint64_t first, int count) {
  std::vector<std::size_t> images(static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i) images[i] = order_.at(first + i);
  std::vector<std::exception_ptr> errors(images.size());  // a pool's tasks may not throw
  pool_.run(count, [&](int i, int worker) {
    try {
      prepare_image(first + i, images[i], i, scratch_[worker]);
    } catch (...) {
      errors[i] = std::current_exception();
    }
  });
  for (const auto& error : errors) {
    if (error) std::rethrow_exception(error);
  }
}

void Algorithm1::prepare_image(std::uint64_t position, std::size_t image, int i, Scratch& s) {
  const Draw draw = draw_for(config_.train.seed, position, schedule_.T(), config_.data.flip);
  data_.load(image, s.bytes);
  if (draw.flip) mirror(s.bytes, data_.shape());
  bytes_to_floats(s.bytes, s.x0);
  fill_normal({.seed = config_.train.seed, .purpose = Purpose::train_noise, .image = position},
              s.eps);
  const std::size_t n = s.x0.size();
  q_sample(schedule_, draw.t, s.x0, s.eps, std::span(x_t_).subspan(i * n, n));
  make_target(schedule_, draw.t, config_.diffusion.prediction, s.x0, s.eps,
              std::span(target_).subspan(i * n, n));
  time_[i] = network_time(draw.t);
  sample_[i] = position;
}

// Forward, loss and backward of one prepared micro-batch. Returns `sum` plus the images' losses.
double Algorithm1::learn(Learner& learner, std::int64_t step, std::span<const int> slices,
                         int count, double sum) {
  const std::size_t n = data_.shape().size(), images = static_cast<std::size_t>(count);
  const std::span<const float> out = learner.forward({.x = std::span(x_t_).first(images * n),
                                                      .time = std::span(time_).first(images),
                                                      .sample = std::span(sample_).first(images),
                                                      .slices = slices,
                                                      .seed = config_.train.seed,
                                                      .step = static_cast<std::uint32_t>(step)});
  DDPM_CHECK(out.size() == images * n, "{} of {}", out.size(), images * n);
  for (std::size_t i = 0; i < images; ++i) {
    sum += simple_loss(std::span(target_).subspan(i * n, n), out.subspan(i * n, n),
                       1.0 / config_.train.batch, std::span(d_out_).subspan(i * n, n));
  }
  learner.backward(std::span(d_out_).first(images * n));
  return sum;
}

}  // namespace ddpm
