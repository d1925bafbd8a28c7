// What a network learns: how an image becomes its input, the loss of what it puts out, and how well
// it does on images that it has not seen.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>

#include "ddpm/engine/engine.h"

namespace ddpm {

/// Where a sample stands.
struct Place {
  std::uint64_t position;  // in the endless order of training: keys all that is drawn for it
  std::size_t image;       // of the data set
  std::size_t in_batch, in_micro_batch;
};

struct NetworkInput {
  std::span<float> x;  // [C, H, W]
  double time = 0;     // as networks are fed
  int label = kNoLabel;
};

/// Asked between batches and sampler rows; true = give up.
using StopRequest = std::function<bool()>;

/// By the averaged weights, on held-out images.
struct HeldOut {
  double loss = 0;
  std::optional<double> bits_per_dim;  // an estimate of the bound, where the loss has one
  std::optional<double> accuracy;      // of a classifier, in [0, 1]
};

/// prepare() and loss() are called from several threads, for different places.
class Task {
 public:
  virtual ~Task() = default;

  virtual Shape in_shape() const = 0;
  virtual Shape out_shape() const = 0;

  /// Fills the network's input. Throws Error (bad_input) for an image that cannot be decoded.
  virtual void prepare(const Place& place, NetworkInput& input) = 0;

  /// The loss of a prepared sample, as it counts in the batch's mean, and its derivative by `out`
  /// times `scale`. Both spans: out_shape().
  virtual double loss(const Place& place, std::span<const float> out, double scale,
                      std::span<float> d_out) = 0;

  /// All losses of a step are known.
  virtual void end_step() {}

  /// Returns none when stopped.
  virtual std::optional<HeldOut> evaluate(Denoiser& denoiser, const StopRequest& stop) const = 0;
};

}  // namespace ddpm
