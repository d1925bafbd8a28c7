#include "ddpm/train/algorithm1.h"

#include <algorithm>

#include "ddpm/base/philox.h"
#include "ddpm/diffusion/forward.h"
#include "ddpm/diffusion/variance.h"
#include "ddpm/train/augment.h"
#include "ddpm/train/batch_gradient.h"
#include "ddpm/train/evaluate.h"

namespace ddpm {

double learning_rate_at(const TrainConfig& config, std::int64_t step) {
  // A share of 1 must not touch the rate's bits: runs without a decay go on as before.
  const auto share = [](std::int64_t done, std::int64_t whole) {
    return done >= whole ? 1 : static_cast<double>(done) / static_cast<double>(whole);
  };
  const std::int64_t left = config.steps - step + 1;
  return config.learning_rate * std::min(share(step, config.warmup), share(left, config.decay));
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

Algorithm1::Algorithm1(const RunConfig& config, const Dataset& data, const Dataset* held_out,
                       const Schedule& schedule, TimeSampler& times)
    : config_(config),
      data_(data),
      held_out_(held_out),
      schedule_(schedule),
      times_(times),
      loss_config_(parse_loss(config.diffusion.loss)),
      objective_(schedule, config.diffusion.prediction, config.diffusion.variance, loss_config_),
      samples_(largest_micro_batch(config.train)),
      t_(static_cast<std::size_t>(config.train.batch)),
      weight_(t_.size()),
      loss_(t_.size()) {
  const std::size_t n = data.shape().size();
  for (Sample& s : samples_)
    s = {std::vector<std::uint8_t>(n), std::vector<float>(n), std::vector<float>(n)};
}

Shape Algorithm1::out_shape() const {
  const Shape s = data_.shape();
  return {is_learned(config_.diffusion.variance) ? 2 * s.c : s.c, s.h, s.w};
}

void Algorithm1::prepare(const Place& place, NetworkInput& input) {
  const std::uint64_t seed = config_.train.seed;
  const TimeDraw draw = times_.draw(seed, place.position, config_.train.batch);
  t_[place.in_batch] = draw.t;
  weight_[place.in_batch] = draw.weight;
  Sample& s = samples_[place.in_micro_batch];
  data_.load(place.image, s.bytes);
  augment(config_.data, seed, place.position, data_.shape(), s.bytes);
  bytes_to_floats(s.bytes, s.x0);
  fill_normal({.seed = seed, .purpose = Purpose::train_noise, .image = place.position}, s.eps);
  q_sample(schedule_, draw.t, s.x0, s.eps, input.x);
  input.time = network_time(draw.t);
  if (config_.net.num_classes > 0) input.label = label_of(place);
}

// Not told to a share of the images, so that guidance has the network without labels too.
int Algorithm1::label_of(const Place& place) const {
  const double u = uniform(
      {.seed = config_.train.seed, .purpose = Purpose::label_dropout, .image = place.position});
  return u < config_.diffusion.label_dropout ? kNoLabel : *data_.label(place.image);
}

double Algorithm1::loss(const Place& place, std::span<const float> out, double scale,
                        std::span<float> d_out) {
  const Sample& s = samples_[place.in_micro_batch];
  const std::size_t i = place.in_batch;
  loss_[i] = objective_.operator()<float>(t_[i], s.x0, s.eps, out, weight_[i] * scale, d_out);
  return weight_[i] * loss_[i];
}

void Algorithm1::end_step() { times_.observe(t_, loss_); }

std::optional<HeldOut> Algorithm1::evaluate(Denoiser& denoiser, const StopRequest& stop) const {
  return evaluate_held_out(*held_out_, schedule_,
                           {.count = config_.train.eval_count,
                            .prediction = config_.diffusion.prediction,
                            .variance = config_.diffusion.variance,
                            .labels = config_.net.num_classes > 0,
                            .bound = has_bound(loss_config_.kind)},
                           denoiser, stop);
}

}  // namespace ddpm
