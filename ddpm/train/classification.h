// A classifier learns the labels of the data, of clean images or of x_t.
#pragma once

#include <vector>

#include "ddpm/data/dataset.h"
#include "ddpm/diffusion/time_sampler.h"
#include "ddpm/train/config.h"
#include "ddpm/train/held_out.h"
#include "ddpm/train/task.h"

namespace ddpm {

class Classification : public Task {
 public:
  /// config.classifier is there; labels of `data` and `held_out` lie below its num_classes
  /// (check_labels()). held_out may be null: then evaluate() is not called. All references must
  /// outlive it.
  Classification(const RunConfig& config, const Dataset& data, const Dataset* held_out,
                 const Schedule& schedule, TimeSampler& times);

  Shape in_shape() const override { return data_.shape(); }
  Shape out_shape() const override { return {config_.classifier->num_classes, 1, 1}; }
  void prepare(const Place& place, NetworkInput& input) override;
  double loss(const Place& place, std::span<const float> out, double scale,
              std::span<float> d_out) override;
  void end_step() override;

  /// Mean cross-entropy in nats and accuracy over eval_count held-out images, not augmented; a
  /// noisy one at the times and noise of evaluate_held_out().
  std::optional<HeldOut> evaluate(Denoiser& denoiser, const StopRequest& stop) const override;

 private:
  double held_out_input(const HeldOutImages& images, std::span<float> x) const;

  const RunConfig& config_;
  const Dataset& data_;
  const Dataset* held_out_;
  const Schedule& schedule_;
  TimeSampler& times_;
  std::vector<std::vector<std::uint8_t>> bytes_;  // of an image, one a place of the micro-batch
  std::vector<std::vector<float>> noise_;
  std::vector<int> t_;  // [batch]
  std::vector<double> weight_, loss_;
};

/// Throws Error (bad_input) unless every image has a label in 0..num_classes - 1.
void check_labels(const Dataset& data, int num_classes);

}  // namespace ddpm
