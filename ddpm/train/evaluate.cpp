#include "ddpm/train/evaluate.h"

#include <algorithm>
#include <vector>

#include "ddpm/base/philox.h"
#include "ddpm/diffusion/bound.h"
#include "ddpm/diffusion/forward.h"
#include "ddpm/diffusion/loss.h"
#include "ddpm/train/batcher.h"

namespace ddpm {
namespace {

constexpr std::uint64_t kSeed = 0;

struct Buffers {  // [images, C, H, W] each; out of the network's own size
  std::vector<float> x0, eps, x_t, out;
  std::vector<double> time;
  std::vector<int> t;
  std::size_t n, n_out;

  Buffers(std::size_t images, const Denoiser& denoiser)
      : time(images), t(images), n(denoiser.shape().size()), n_out(denoiser.out_shape().size()) {
    for (auto* buffer : {&x0, &eps, &x_t}) buffer->resize(images * n);
    out.resize(images * n_out);
  }

  std::span<float> of(std::vector<float>& all, int k) const {
    return std::span(all).subspan(k * n, n);
  }
};

class Evaluation {
 public:
  Evaluation(const Dataset& data, const Schedule& schedule, const HeldOutOptions& options,
             Denoiser& denoiser)
      : data_(data),
        schedule_(schedule),
        options_(options),
        count_(static_cast<int>(std::min<std::size_t>(options.count, data.size()))),
        batch_(std::min(count_, denoiser.max_batch())),
        denoiser_(denoiser),
        order_(kSeed, data.size()),
        bytes_(data.shape().size()),
        b_(static_cast<std::size_t>(batch_), denoiser) {}

  std::optional<HeldOut> run(const StopRequest& stop) {
    for (int first = 0; first < count_; first += batch_) {
      if (stop && stop()) return std::nullopt;
      const int size = std::min(batch_, count_ - first);
      for (int k = 0; k < size; ++k) load(first + k, k);
      call(size);
      for (int k = 0; k < size; ++k) loss_ += loss(k);
      if (!options_.bound) continue;
      for (int k = 0; k < size; ++k) terms_ += b_.t[k] > 1 ? bits(k) : 0;
      for (int k = 0; k < size; ++k) noise(k, 1);
      call(size);
      for (int k = 0; k < size; ++k) ends_ += bits(k) + prior(k);
    }
    HeldOut result{.loss = loss_ / count_, .bits_per_dim = {}, .accuracy = {}};
    if (options_.bound) result.bits_per_dim = (ends_ + schedule_.T() * terms_) / count_;
    return result;
  }

 private:
  // Image i of the evaluation into place k of the batch.
  void load(int i, int k) {
    const auto number = static_cast<std::uint64_t>(i);
    data_.load(order_.at(number), bytes_);
    bytes_to_floats(bytes_, b_.of(b_.x0, k));
    fill_normal({.seed = kSeed, .purpose = Purpose::eval_noise, .image = number}, b_.of(b_.eps, k));
    noise(k, evaluation_time(i, count_, schedule_.T()));
  }

  void noise(int k, int t) {
    q_sample(schedule_, t, b_.of(b_.x0, k), b_.of(b_.eps, k), b_.of(b_.x_t, k));
    b_.t[k] = t;
    b_.time[k] = network_time(t);
  }

  void call(int size) {
    denoiser_.predict(std::span(b_.x_t).first(size * b_.n), std::span(b_.time).first(size),
                      std::span(b_.out).first(size * b_.n_out));
  }

  double loss(int k) {
    std::vector<float> target(b_.n), unused(b_.n);
    make_target(schedule_, b_.t[k], options_.prediction, b_.of(b_.x0, k), b_.of(b_.eps, k), target);
    return simple_loss(target, std::span(b_.out).subspan(k * b_.n_out, b_.n), 1, unused);
  }

  double bits(int k) {
    const ReverseModel model{.prediction = options_.prediction,
                             .variance = options_.variance,
                             .optimal = {},
                             .clip = 1};  // as every likelihood is measured
    return bound_term<float>(schedule_, b_.t[k], model, b_.of(b_.x0, k), b_.of(b_.eps, k),
                             std::span(b_.out).subspan(k * b_.n_out, b_.n_out))
        .bits_per_dim;
  }

  double prior(int k) { return prior_bits<float>(schedule_, b_.of(b_.x0, k)); }

  const Dataset& data_;
  const Schedule& schedule_;
  HeldOutOptions options_;
  int count_, batch_;
  Denoiser& denoiser_;
  DataOrder order_;
  std::vector<std::uint8_t> bytes_;
  Buffers b_;
  double loss_ = 0, terms_ = 0, ends_ = 0;  // sums over the images
};

}  // namespace

int evaluation_time(int i, int count, int T) {
  const double u = uniform(
      {.seed = kSeed, .purpose = Purpose::eval_time, .image = static_cast<std::uint64_t>(i)});
  return std::min(T, 1 + static_cast<int>((i + u) * T / count));
}

std::optional<HeldOut> evaluate_held_out(const Dataset& data, const Schedule& schedule,
                                         const HeldOutOptions& options, Denoiser& denoiser,
                                         const StopRequest& stop) {
  return Evaluation(data, schedule, options, denoiser).run(stop);
}

}  // namespace ddpm
