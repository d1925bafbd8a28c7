// For tests: a learner small enough to reason about, and a data set for it. The "network" is linear
// in every pixel: out = gain_c x + bias_c + drift_c t / T, with dropout of whole images, so
// gradients are exact and a step costs microseconds.
#pragma once

#include <cmath>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "ddpm/base/error.h"
#include "ddpm/base/philox.h"
#include "ddpm/data/dataset.h"
#include "ddpm/engine/engine.h"

namespace ddpm {

inline constexpr double kFakeTimes = 1000;

inline std::vector<ParamSpec> fake_specs(int channels) {
  return {{"gain.weight", {channels, 1}}, {"gain.bias", {channels}}, {"drift.weight", {channels}}};
}

/// out of one image. keep: what x is multiplied with.
inline void fake_forward(const Params& p, Shape shape, std::span<const float> x, double time,
                         double keep, std::span<float> out) {
  const auto gain = p.tensor("gain.weight"), bias = p.tensor("gain.bias");
  const auto drift = p.tensor("drift.weight");
  for (std::size_t i = 0; i < x.size(); ++i) {
    const std::size_t c = i / static_cast<std::size_t>(shape.pixels());
    out[i] = static_cast<float>(keep * gain[c] * x[i] + bias[c] + drift[c] * (time / kFakeTimes));
  }
}

class FakeDenoiser : public Denoiser {
 public:
  FakeDenoiser(Shape shape, Params params, int max_batch)
      : shape_(shape), params_(std::move(params)), max_batch_(max_batch) {}

  void predict(std::span<const float> x, std::span<const double> time, std::span<const int>,
               std::span<float> out) override {
    const std::size_t n = shape_.size();
    DDPM_CHECK(time.size() <= static_cast<std::size_t>(max_batch_));
    for (std::size_t i = 0; i < time.size(); ++i) {
      fake_forward(params_, shape_, x.subspan(i * n, n), time[i], 1, out.subspan(i * n, n));
    }
  }
  Shape shape() const override { return shape_; }
  int max_batch() const override { return max_batch_; }

 private:
  Shape shape_;
  Params params_;
  int max_batch_;
};

class FakeLearner : public Learner {
 public:
  explicit FakeLearner(Shape shape)
      : shape_(shape),
        params_(fake_specs(shape.c)),
        ema_(params_),
        m_(params_),
        v_(params_),
        gradient_(params_.all().size()) {}

  std::int64_t nan_at_step = 0;                // forward() of this step puts out a NaN
  std::int64_t infinite_gradient_at_step = 0;  // backward() of this step overflows
  std::vector<std::uint64_t> samples_of_step;  // that forward() saw since the last update
  int forwards_of_step = 0;

  std::span<const float> forward(const Batch& b) override {
    const std::size_t n = shape_.size();
    x_.assign(b.x.begin(), b.x.end());
    time_.assign(b.time.begin(), b.time.end());
    keep_.clear();
    out_.resize(x_.size());
    for (std::size_t i = 0; i < b.time.size(); ++i) {
      keep_.push_back(keep_of(b, i));
      fake_forward(params_, shape_, b.x.subspan(i * n, n), time_[i], keep_[i],
                   std::span(out_).subspan(i * n, n));
    }
    if (b.step == nan_at_step) out_[0] = std::numeric_limits<float>::quiet_NaN();
    step_ = b.step;
    samples_of_step.insert(samples_of_step.end(), b.sample.begin(), b.sample.end());
    ++forwards_of_step;
    return out_;
  }

  void backward(std::span<const float> d_out) override {
    const std::size_t n = shape_.size(), channels = static_cast<std::size_t>(shape_.c);
    for (std::size_t i = 0; i < d_out.size(); ++i) {
      const std::size_t image = i / n, c = i % n / static_cast<std::size_t>(shape_.pixels());
      gradient_[c] += d_out[i] * keep_[image] * x_[i];
      gradient_[channels + c] += d_out[i];
      gradient_[2 * channels + c] += d_out[i] * (time_[image] / kFakeTimes);
    }
    if (step_ == infinite_gradient_at_step) gradient_[0] = std::numeric_limits<double>::infinity();
  }

  double update(const AdamStep& s) override {
    double sum = 0;
    for (const double g : gradient_) sum += g * g;
    const double norm = std::sqrt(sum);
    if (!std::isfinite(norm)) return norm;
    const double scale = s.clip > 0 ? std::min(1.0, s.clip / (norm + 1e-6)) : 1;
    for (std::size_t i = 0; i < gradient_.size(); ++i) adam(s, i, gradient_[i] * scale);
    std::fill(gradient_.begin(), gradient_.end(), 0.0);
    samples_of_step.clear();
    forwards_of_step = 0;
    return norm;
  }

  Params gradients() const override {
    Params result(params_.specs());
    for (std::size_t i = 0; i < gradient_.size(); ++i) {
      result.all()[i] = static_cast<float>(gradient_[i]);
    }
    return result;
  }
  Params& params() override { return params_; }
  Params& ema() override { return ema_; }
  Params& moment1() override { return m_; }
  Params& moment2() override { return v_; }
  void params_changed() override {}

 private:
  static double keep_of(const Batch& b, std::size_t i) {
    const NoiseKey key{
        .seed = b.seed, .purpose = Purpose::dropout, .image = b.sample[i], .step = b.step};
    return b.train && uniform(key) < 0.1 ? 0 : 1;
  }

  void adam(const AdamStep& s, std::size_t i, double g) {
    const double m = s.beta1 * m_.all()[i] + (1 - s.beta1) * g;
    const double v = s.beta2 * v_.all()[i] + (1 - s.beta2) * g * g;
    const double m_hat = m / (1 - std::pow(s.beta1, s.step));
    const double v_hat = v / (1 - std::pow(s.beta2, s.step));
    const double p = params_.all()[i] - s.learning_rate * m_hat / (std::sqrt(v_hat) + s.epsilon);
    m_.all()[i] = static_cast<float>(m);
    v_.all()[i] = static_cast<float>(v);
    params_.all()[i] = static_cast<float>(p);
    ema_.all()[i] = static_cast<float>(s.ema * ema_.all()[i] + (1 - s.ema) * p);
  }

  Shape shape_;
  Params params_, ema_, m_, v_;
  std::vector<double> gradient_;  // image by image, so that micro-batches do not round
  std::vector<float> x_, out_;
  std::vector<double> time_, keep_;
  std::int64_t step_ = 0;
};

/// `count` images of Philox bytes: image i is the same in every test.
class FakeData : public Dataset {
 public:
  FakeData(Shape shape, std::size_t count) : shape_(shape), count_(count) {}

  std::int64_t broken = -1;  // this image cannot be decoded

  Shape shape() const override { return shape_; }
  std::size_t size() const override { return count_; }
  void load(std::size_t i, std::span<std::uint8_t> out) const override {
    if (static_cast<std::int64_t>(i) == broken) {
      throw Error(ExitCode::bad_input, "[test] image {} is broken", i);
    }
    for (std::uint32_t k = 0; k < out.size(); ++k) {
      out[k] = static_cast<std::uint8_t>(uniform_below({.seed = 99, .image = i}, 256, k));
    }
  }
  std::optional<int> label(std::size_t) const override { return std::nullopt; }
  std::vector<std::string> classes() const override { return {}; }
  std::string description() const override { return "fake images"; }

 private:
  Shape shape_;
  std::size_t count_;
};

}  // namespace ddpm
