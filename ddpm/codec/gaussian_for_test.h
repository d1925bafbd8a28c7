// For tests: images that are Gaussian noise with a known spectrum, and the best denoiser of them,
// whose bound, entropy and rate-distortion function are closed form.
#pragma once

#include <algorithm>
#include <cmath>
#include <numbers>

#include "ddpm/base/exact.h"
#include "ddpm/base/philox.h"
#include "ddpm/codec/predictor.h"
#include "ddpm/codec/tiles.h"
#include "ddpm/diffusion/respacing.h"
#include "ddpm/diffusion/variance.h"

namespace ddpm {

/// Pixels independent, N(mean, variance) in [-1, 1].
struct GaussianImages {
  Shape shape{1, 8, 8};
  double mean = 0, variance = 0.04;

  Item draw(std::uint64_t number) const {
    std::vector<float> z(shape.size());
    fill_normal({.seed = 99, .purpose = Purpose::eval_noise, .image = number}, z);
    Item item;
    for (const float value : z) {
      item.push_back(float_to_byte(static_cast<float>(mean + std::sqrt(variance) * value)));
    }
    return item;
  }
  /// Of an 8-bit level: the normal's share of a bin of 2 / 255, the outer ones open; and the
  /// entropy.
  double probability(int level) const {
    const auto below = [&](int k) {  // P(pixel < k)
      if (k == 0 || k == 256) return k == 0 ? 0.0 : 1.0;
      const double edge = (k - 0.5) / 127.5 - 1;
      return 0.5 * std::erfc((mean - edge) / std::sqrt(2 * variance));
    };
    return below(level + 1) - below(level);
  }
  double entropy() const {
    double bits = 0;
    for (int level = 0; level < 256; ++level) {
      const double p = probability(level);
      if (p > 0) bits -= p * std::log2(p);
    }
    return bits;
  }
};

/// eps = the best guess from x_t: (x_t - sqrt(a) E[x_0 | x_t]) / sqrt(1 - a).
class GaussianDenoiser : public Denoiser {
 public:
  GaussianDenoiser(const Schedule& schedule, const GaussianImages& images)
      : schedule_(schedule), images_(images) {}

  void predict(std::span<const float> x, std::span<const double> time, std::span<const int>,
               std::span<float> out) override {
    for (std::size_t i = 0; i < x.size(); ++i) {
      const int t = static_cast<int>(time[i / images_.shape.size()]) + 1;
      const double a = schedule_.alpha_bar(t), b = schedule_.one_minus_alpha_bar(t);
      const double gain = std::sqrt(a) * images_.variance / (a * images_.variance + b);
      const double x0 = images_.mean + gain * (x[i] - std::sqrt(a) * images_.mean);
      out[i] = static_cast<float>((x[i] - std::sqrt(a) * x0) / std::sqrt(b));
    }
  }
  Shape shape() const override { return images_.shape; }
  int max_batch() const override { return 5; }

 private:
  Schedule schedule_;
  GaussianImages images_;
};

/// The same, and channels that say the variance of p(x_s | x_t) for the next time s of a chain:
/// `factor` times the true one.
class LearnedGaussianDenoiser : public Denoiser {
 public:
  LearnedGaussianDenoiser(const CodecModel& model, const GaussianImages& images, double factor = 1)
      : model_(model), images_(images), mean_(model.schedule, images), factor_(factor) {}

  void predict(std::span<const float> x, std::span<const double> time, std::span<const int>,
               std::span<float> out) override {
    const std::size_t n = images_.shape.size();
    std::vector<float> eps(x.size());
    mean_.predict(x, time, {}, eps);
    for (std::size_t k = 0; k < time.size(); ++k) {
      std::copy_n(&eps[k * n], n, &out[2 * k * n]);
      std::fill_n(&out[(2 * k + 1) * n], n, channel(static_cast<int>(time[k]) + 1));
    }
  }
  Shape shape() const override { return images_.shape; }
  Shape out_shape() const override {
    return {2 * images_.shape.c, images_.shape.h, images_.shape.w};
  }
  int max_batch() const override { return mean_.max_batch(); }

 private:
  float channel(int t) const {
    const std::vector<int>& times = model_.tables.chain;
    const Respaced process = respace(model_.schedule, {times.rbegin(), times.rend()});
    const auto at = std::find(process.times.begin(), process.times.end(), t);
    if (at == process.times.end() || t == process.times.front()) return 0;
    const int k = static_cast<int>(at - process.times.begin()) + 1;
    const Posterior q = process.schedule.posterior(k);
    const double error = images_.variance / (1 + images_.variance * model_.schedule.snr(t));
    const double log_variance = std::log(factor_ * (q.variance + q.c_x0 * q.c_x0 * error));
    const LogVariance read = log_variance_of(process.schedule, k, model_.view.variance);
    return static_cast<float>((log_variance - read.offset) / read.slope);
  }

  const CodecModel& model_;
  GaussianImages images_;
  GaussianDenoiser mean_;
  double factor_;
};

/// The model whose network that is, with tables as calibration would find them.
inline CodecModel gaussian_model(const GaussianImages& images, const Schedule& schedule,
                                 const Calls& calls) {
  CodecModel model;
  model.schedule = schedule;
  model.shape = images.shape;
  model.fingerprint = {.value = 0x1122334455667788};
  Measured measured;
  for (int t = 1; t <= schedule.T(); t += 1 + t / 8) {
    const double error = images.variance / (1 + images.variance * schedule.snr(t));
    measured.times.push_back(t);
    measured.errors.emplace_back().fill(error);
    measured.shares.emplace_back()[0] = 1;
    LevelDecoder decoder{.time = t};
    decoder.scale_q16.assign(
        kLevelContexts, static_cast<std::uint32_t>(std::lround(127.5 * 65536 * std::sqrt(error))));
    measured.decoders.push_back(decoder);
    measured.decoder_bits.push_back(
        exact::log(127.5 * std::sqrt(2 * std::numbers::pi * std::numbers::e * error)) *
        std::numbers::log2e);
  }
  model.tables = plan_tables(schedule, measured, calls);
  return model;
}

}  // namespace ddpm
