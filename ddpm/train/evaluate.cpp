#include "ddpm/train/evaluate.h"

#include <algorithm>
#include <vector>

#include "ddpm/base/philox.h"
#include "ddpm/diffusion/forward.h"
#include "ddpm/diffusion/loss.h"
#include "ddpm/train/batcher.h"

namespace ddpm {
namespace {

constexpr std::uint64_t kSeed = 0;

struct Buffers {  // [images, C, H, W] each
  std::vector<float> x_t, target, out;
  std::vector<double> time;

  Buffers(std::size_t images, std::size_t elements)
      : x_t(images * elements), target(x_t), out(x_t), time(images) {}
};

class HeldOut {
 public:
  HeldOut(const Dataset& data, int count, const Schedule& schedule, Prediction prediction)
      : data_(data),
        schedule_(schedule),
        prediction_(prediction),
        count_(count),
        n_(data.shape().size()),
        order_(kSeed, data.size()),
        bytes_(n_),
        x0_(n_),
        eps_(n_) {}

  // Image i of the evaluation into place k of the batch.
  void prepare(int i, int k, Buffers& b) {
    data_.load(order_.at(static_cast<std::uint64_t>(i)), bytes_);
    bytes_to_floats(bytes_, x0_);
    fill_normal(
        {.seed = kSeed, .purpose = Purpose::eval_noise, .image = static_cast<std::uint64_t>(i)},
        eps_);
    const int t = evaluation_time(i, count_, schedule_.T());
    q_sample(schedule_, t, x0_, eps_, std::span(b.x_t).subspan(k * n_, n_));
    make_target(schedule_, t, prediction_, x0_, eps_, std::span(b.target).subspan(k * n_, n_));
    b.time[k] = network_time(t);
  }

  double loss(int k, const Buffers& b) {
    return simple_loss(std::span(b.target).subspan(k * n_, n_),
                       std::span(b.out).subspan(k * n_, n_), 1, x0_);  // x0_: derivative, unused
  }

 private:
  const Dataset& data_;
  const Schedule& schedule_;
  Prediction prediction_;
  int count_;
  std::size_t n_;
  DataOrder order_;
  std::vector<std::uint8_t> bytes_;
  std::vector<float> x0_, eps_;
};

}  // namespace

int evaluation_time(int i, int count, int T) {
  const double u = uniform(
      {.seed = kSeed, .purpose = Purpose::eval_time, .image = static_cast<std::uint64_t>(i)});
  return std::min(T, 1 + static_cast<int>((i + u) * T / count));
}

std::optional<double> held_out_loss(const Dataset& data, int count, const Schedule& schedule,
                                    Prediction prediction, Denoiser& denoiser,
                                    const StopRequest& stop) {
  count = static_cast<int>(std::min<std::size_t>(static_cast<std::size_t>(count), data.size()));
  const int batch = std::min(count, denoiser.max_batch());
  const std::size_t n = data.shape().size();
  HeldOut images(data, count, schedule, prediction);
  Buffers b(static_cast<std::size_t>(batch), n);
  double sum = 0;
  for (int first = 0; first < count; first += batch) {
    if (stop && stop()) return std::nullopt;
    const int size = std::min(batch, count - first);
    for (int k = 0; k < size; ++k) images.prepare(first + k, k, b);
    denoiser.predict(std::span(b.x_t).first(size * n), std::span(b.time).first(size),
                     std::span(b.out).first(size * n));
    for (int k = 0; k < size; ++k) sum += images.loss(k, b);
  }
  return sum / count;
}

}  // namespace ddpm
