// What running a network needs of a backend. Tensors cross this door as float32 [N, C, H, W].
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "ddpm/diffusion/plan.h"
#include "ddpm/net/params.h"

namespace ddpm {

/// The label of an image whose class is not told.
inline constexpr int kNoLabel = -1;

/// x -> output, for a batch. A network, a guided pair, a user's own function.
class Denoiser {
 public:
  virtual ~Denoiser() = default;

  /// x: [n, C, H, W]; out: n of out_shape(); time: n entries, as networks are fed (0-based, may be
  /// fractional); label: n classes, kNoLabel for none, or empty = kNoLabel for all. n <=
  /// max_batch(). Throws Error (usage) for a class that the network does not have, kNoLabel
  /// included where it was trained without dropping labels.
  virtual void predict(std::span<const float> x, std::span<const double> time,
                       std::span<const int> label, std::span<float> out) = 0;
  void predict(std::span<const float> x, std::span<const double> time, std::span<float> out) {
    predict(x, time, {}, out);
  }

  virtual Shape shape() const = 0;  // of x
  /// That of x, or [2 C, H, W] where C more channels say the variance (Variance::learned).
  virtual Shape out_shape() const { return shape(); }
  virtual int max_batch() const = 0;
};

/// A network and its derivative by x: what likelihoods by the probability flow and guidance by a
/// classifier ask for.
class VectorJacobian {
 public:
  virtual ~VectorJacobian() = default;

  /// Denoiser::predict's out, for direct use before backward().
  virtual std::span<const float> forward(std::span<const float> x, std::span<const double> time,
                                         std::span<const int> label) = 0;

  /// d_x = v^T d out / d x at the last forward's x. v: n of out_shape(); d_x: n of shape(). May be
  /// called again for another v, at the price of another forward.
  virtual void backward(std::span<const float> v, std::span<float> d_x) = 0;

  virtual Shape shape() const = 0;
  virtual Shape out_shape() const = 0;
  virtual int max_batch() const = 0;
};

/// The slices of a batch (batch / 16 of them, at least 1, at most 8): sizes in order. A slice's
/// gradient is one fixed computation; slices are added by a fixed binary tree, so the sum does not
/// depend on who computed them.
std::vector<int> slice_sizes(int batch);

/// Some whole slices of a training batch.
struct Batch {
  std::span<const float> x;               // [n, C, H, W]
  std::span<const double> time;           // [n]
  std::span<const int> label;             // [n] as Denoiser::predict's, or empty
  std::span<const std::uint64_t> sample;  // [n] index of the sample: keys dropout
  std::span<const int> slices;            // sizes of the slices, sum n
  std::uint64_t seed = 0;
  std::uint32_t step = 0;
  bool train = true;  // dropout on
};

struct AdamStep {
  double learning_rate = 2e-4, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8;
  double clip = 1;  // global norm, as torch: gradients times min(1, clip / (norm + 1e-6)); 0 = off
  double ema = 0.9999;    // this step's decay
  std::int64_t step = 1;  // 1-based, for the bias correction
};

/// What training needs of a backend. A step: for each micro-batch forward() then backward(), in the
/// order of the slices; then update(). All results are independent of threads and of how slices are
/// grouped.
class Learner {
 public:
  virtual ~Learner() = default;

  /// The network's output [n, C, H, W] for the micro-batch; valid until the next call.
  virtual std::span<const float> forward(const Batch& batch) = 0;

  /// Adds the gradients of the last forward's slices. d_out: [n, C, H, W].
  virtual void backward(std::span<const float> d_out) = 0;

  /// Clips, steps Adam, updates the EMA, clears the gradients. Returns the global gradient norm
  /// before clipping; when it is not finite nothing is changed.
  virtual double update(const AdamStep& step) = 0;

  /// The summed gradient of the step so far, in the order of params().specs(): for tests and for
  /// the first bad layer.
  virtual Params gradients() const = 0;

  virtual Params& params() = 0;  // after writing to it, call params_changed()
  virtual Params& ema() = 0;
  virtual Params& moment1() = 0;
  virtual Params& moment2() = 0;
  virtual void params_changed() = 0;
};

}  // namespace ddpm
