#include "ddpm/train/classification.h"

#include <algorithm>

#include "ddpm/base/error.h"
#include "ddpm/base/philox.h"
#include "ddpm/diffusion/cross_entropy.h"
#include "ddpm/diffusion/forward.h"
#include "ddpm/train/augment.h"
#include "ddpm/train/batch_gradient.h"
#include "ddpm/train/held_out.h"

namespace ddpm {

void check_labels(const Dataset& data, int num_classes) {
  for (std::size_t i = 0; i < data.size(); ++i) {
    const std::optional<int> label = data.label(i);
    if (!label) {
      throw Error(ExitCode::bad_input,
                  "[train] {}: got no labels, expected one an image for num_classes = {}; try a "
                  "folder with a sub-folder a class, or IDX files with labels",
                  data.description(), num_classes);
    }
    if (*label < 0 || *label >= num_classes) {
      throw Error(ExitCode::bad_input,
                  "[train] {}: got label {} of image {}, expected 0..{} from num_classes = {}",
                  data.description(), *label, i, num_classes - 1, num_classes);
    }
  }
}

Classification::Classification(const RunConfig& config, const Dataset& data,
                               const Dataset* held_out, const Schedule& schedule,
                               TimeSampler& times)
    : config_(config),
      data_(data),
      held_out_(held_out),
      schedule_(schedule),
      times_(times),
      bytes_(largest_micro_batch(config.train)),
      noise_(bytes_.size()),
      t_(static_cast<std::size_t>(config.train.batch), 1),
      weight_(t_.size(), 1),
      loss_(t_.size()) {
  for (auto& bytes : bytes_) bytes.resize(data.shape().size());
  for (auto& noise : noise_) noise.resize(data.shape().size());
}

void Classification::prepare(const Place& place, NetworkInput& input) {
  const std::uint64_t seed = config_.train.seed;
  const std::span<std::uint8_t> bytes = bytes_[place.in_micro_batch];
  data_.load(place.image, bytes);
  augment(config_.data, seed, place.position, data_.shape(), bytes);
  bytes_to_floats(bytes, input.x);
  if (!config_.classifier->noisy) return;
  const TimeDraw draw = times_.draw(seed, place.position, config_.train.batch);
  t_[place.in_batch] = draw.t;
  weight_[place.in_batch] = draw.weight;
  const std::span<float> eps = noise_[place.in_micro_batch];
  fill_normal({.seed = seed, .purpose = Purpose::train_noise, .image = place.position}, eps);
  q_sample(schedule_, draw.t, input.x, eps, input.x);
  input.time = network_time(draw.t);
}

double Classification::loss(const Place& place, std::span<const float> out, double scale,
                            std::span<float> d_out) {
  const std::size_t i = place.in_batch;
  loss_[i] = cross_entropy(out, *data_.label(place.image), weight_[i] * scale, d_out);
  return weight_[i] * loss_[i];
}

void Classification::end_step() {
  if (config_.classifier->noisy) times_.observe(t_, loss_);
}

// A held-out image as the network sees it; returns its time.
double Classification::held_out_input(const HeldOutImages& images, std::span<float> x) const {
  if (!config_.classifier->noisy) {
    std::ranges::copy(images.x0(), x.begin());
    return 0;
  }
  q_sample(schedule_, images.t(), images.x0(), images.eps(), x);
  return network_time(images.t());
}

std::optional<HeldOut> Classification::evaluate(Denoiser& denoiser, const StopRequest& stop) const {
  const std::size_t n = in_shape().size(), classes = out_shape().size();
  const int count =
      static_cast<int>(std::min<std::size_t>(config_.train.eval_count, held_out_->size()));
  const int batch = std::min(count, denoiser.max_batch());
  HeldOutImages images(*held_out_, count, schedule_);
  std::vector<float> x(batch * n), out(batch * classes), unused(classes);
  std::vector<double> time(batch);
  std::vector<int> label(batch);
  double loss = 0, right = 0;
  for (int first = 0; first < count; first += batch) {
    if (stop && stop()) return std::nullopt;
    const int size = std::min(batch, count - first);
    for (int k = 0; k < size; ++k) {
      label[k] = images.load(first + k);
      time[k] = held_out_input(images, std::span(x).subspan(k * n, n));
    }
    denoiser.predict(std::span(x).first(size * n), std::span(time).first(size),
                     std::span(out).first(size * classes));
    for (int k = 0; k < size; ++k) {
      const std::span<const float> logits = std::span(out).subspan(k * classes, classes);
      loss += cross_entropy(logits, label[k], 1, unused);
      right += largest(logits) == label[k] ? 1 : 0;
    }
  }
  return HeldOut{.loss = loss / count, .bits_per_dim = {}, .accuracy = right / count};
}

}  // namespace ddpm
