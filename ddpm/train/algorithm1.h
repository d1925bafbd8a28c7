// Algorithm 1 of the paper: a network learns what is noise in x_t. And the optimiser's settings.
#pragma once

#include <cstdint>
#include <vector>

#include "ddpm/data/dataset.h"
#include "ddpm/diffusion/objective.h"
#include "ddpm/diffusion/time_sampler.h"
#include "ddpm/train/config.h"
#include "ddpm/train/task.h"

namespace ddpm {

/// learning_rate * min(1, step / warmup, (steps - step + 1) / decay): it rises over the first
/// `warmup` steps and falls over the last `decay`. step is 1-based; the first and the last step
/// learn, and a step past the last would have rate 0.
double learning_rate_at(const TrainConfig& config, std::int64_t step);

/// min(ema, (1 + n) / (10 + n)) after n = step updates, so that young averages forget their start.
double ema_decay_at(const TrainConfig& config, std::int64_t step);

/// The optimiser's settings for a 1-based step.
AdamStep adam_step(const TrainConfig& config, std::int64_t step);

/// x_t at a drawn t, with drawn noise, and the config's loss.
class Algorithm1 : public Task {
 public:
  /// held_out may be null: then evaluate() is not called. times: told the losses of every step. All
  /// references must outlive it. Throws Error as Objective.
  Algorithm1(const RunConfig& config, const Dataset& data, const Dataset* held_out,
             const Schedule& schedule, TimeSampler& times);

  Shape in_shape() const override { return data_.shape(); }
  Shape out_shape() const override;
  void prepare(const Place& place, NetworkInput& input) override;
  double loss(const Place& place, std::span<const float> out, double scale,
              std::span<float> d_out) override;
  void end_step() override;
  std::optional<HeldOut> evaluate(Denoiser& denoiser, const StopRequest& stop) const override;

 private:
  struct Sample {  // of a micro-batch
    std::vector<std::uint8_t> bytes;
    std::vector<float> x0, eps;
  };

  int label_of(const Place& place) const;

  const RunConfig& config_;
  const Dataset& data_;
  const Dataset* held_out_;
  const Schedule& schedule_;
  TimeSampler& times_;
  LossConfig loss_config_;
  Objective objective_;
  std::vector<Sample> samples_;
  std::vector<int> t_;  // [batch]
  std::vector<double> weight_, loss_;
};

}  // namespace ddpm
