// For tests: Gaussian data whose best network, bound and flow are known in closed form.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "ddpm/base/philox.h"
#include "ddpm/data/memory_dataset.h"
#include "ddpm/diffusion/time_line.h"
#include "ddpm/engine/engine.h"

namespace ddpm {

/// Pairs of neighbouring elements are N(0, s^2 [[1, r], [r, 1]]).
struct GaussianData {
  double s = 0.25, r = 0;

  /// `count` images rounded to levels. s = 0.25 is 32 levels: rounding adds a variance of 8e-5 of
  /// it.
  std::unique_ptr<Dataset> images(int count, Shape shape, std::uint64_t seed = 1) const {
    std::vector<float> z(static_cast<std::size_t>(count) * shape.size());
    fill_normal({.seed = seed, .purpose = Purpose::sample_start}, z);
    ImageTable table{.shape = shape, .pixels = {}, .labels = {}, .classes = {}, .description = {}};
    for (std::size_t i = 0; i < z.size(); i += 2) {
      const double second = r * z[i] + std::sqrt(1 - r * r) * z[i + 1];
      for (const double value : {double{z[i]}, second}) {
        const double level = std::rint((s * value + 1) * 127.5);
        table.pixels += static_cast<char>(static_cast<std::uint8_t>(std::clamp(level, 0.0, 255.0)));
      }
    }
    return memory_dataset(std::move(table), {});
  }

  /// Of a level, bits: the density's entropy, less the width of a level, 2 / 255.
  double entropy() const {
    const double pi = 3.14159265358979323846;
    const double nats = 0.5 * std::log(2 * pi * std::exp(1) * s * s) + 0.25 * std::log(1 - r * r);
    return nats / std::log(2.0) + std::log2(127.5);
  }

  /// The best eps of a pair at a time with this alpha_bar: sqrt(1 - a) (a C + (1 - a) I)^-1 x. The
  /// matrix is symmetric: its own transpose.
  void best_eps(double alpha_bar, const float* x, float* eps) const {
    const double b2 = 1 - alpha_bar, b = std::sqrt(b2);
    const double up = b / (alpha_bar * s * s * (1 + r) + b2);
    const double down = b / (alpha_bar * s * s * (1 - r) + b2);
    eps[0] = static_cast<float>(0.5 * (up * (x[0] + x[1]) + down * (x[0] - x[1])));
    eps[1] = static_cast<float>(0.5 * (up * (x[0] + x[1]) - down * (x[0] - x[1])));
  }
};

/// The best network of GaussianData, at the times of a line.
class GaussianNet : public Denoiser, public VectorJacobian {
 public:
  GaussianNet(GaussianData data, const Schedule& schedule, Shape shape, int max_batch)
      : data_(data), line_(schedule), shape_(shape), max_batch_(max_batch) {}

  using Denoiser::predict;
  void predict(std::span<const float> x, std::span<const double> time, std::span<const int>,
               std::span<float> out) override {
    apply(x, time, out);
  }
  std::span<const float> forward(std::span<const float> x, std::span<const double> time,
                                 std::span<const int>) override {
    time_.assign(time.begin(), time.end());
    out_.resize(x.size());
    apply(x, time_, out_);
    return out_;
  }
  void backward(std::span<const float> v, std::span<float> d_x) override { apply(v, time_, d_x); }

  Shape shape() const override { return shape_; }
  Shape out_shape() const override { return shape_; }
  int max_batch() const override { return max_batch_; }

 private:
  void apply(std::span<const float> x, std::span<const double> time, std::span<float> out) const {
    const std::size_t n = shape_.size();
    for (std::size_t k = 0; k < time.size(); ++k) {
      const double alpha_bar = line_.alpha_bar(time[k] + 1);
      for (std::size_t i = k * n; i < (k + 1) * n; i += 2) {
        data_.best_eps(alpha_bar, &x[i], &out[i]);
      }
    }
  }

  GaussianData data_;
  TimeLine line_;
  Shape shape_;
  int max_batch_;
  std::vector<double> time_;
  std::vector<float> out_;
};

}  // namespace ddpm
