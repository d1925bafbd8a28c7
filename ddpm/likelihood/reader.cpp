#include "ddpm/likelihood/reader.h"

#include <algorithm>

#include "ddpm/base/error.h"
#include "ddpm/base/philox.h"
#include "ddpm/diffusion/forward.h"

namespace ddpm {

Reader::Reader(Denoiser& denoiser, const Schedule& schedule, const TestImages& images,
               std::uint64_t seed, Sink sink)
    : denoiser_(denoiser),
      schedule_(schedule),
      images_(images),
      seed_(seed),
      sink_(std::move(sink)),
      n_(denoiser.shape().size()),
      n_out_(denoiser.out_shape().size()),
      bytes_(n_),
      image_(n_) {
  DDPM_CHECK(images.data.shape() == denoiser.shape() && images.count <= images.data.size());
  const auto batch = static_cast<std::size_t>(denoiser.max_batch());
  for (auto* buffer : {&x0_, &eps_, &x_t_}) buffer->resize(batch * n_);
  out_.resize(batch * n_out_);
}

void Reader::load(std::size_t image) {
  if (loaded_ == image) return;
  images_.data.load(image, bytes_);
  bytes_to_floats(bytes_, image_);
  loaded_ = image;
}

void Reader::ask(std::size_t image, int t) {
  load(image);
  const std::size_t k = asked_.size();
  const auto part = [&](std::vector<float>& all) { return std::span(all).subspan(k * n_, n_); };
  std::ranges::copy(image_, part(x0_).begin());
  fill_normal({.seed = seed_,
               .purpose = Purpose::bound_noise,
               .image = image,
               .step = static_cast<std::uint32_t>(t)},
              part(eps_));
  q_sample(schedule_, t, part(x0_), part(eps_), part(x_t_));
  time_.push_back(network_time(t));
  if (images_.labels) label_.push_back(images_.data.label(image).value_or(kNoLabel));
  asked_.push_back({image, t});
  if (std::ssize(asked_) == denoiser_.max_batch()) finish();
}

void Reader::finish() {
  const std::size_t count = asked_.size();
  if (count == 0) return;
  denoiser_.predict(std::span(x_t_).first(count * n_), time_, label_,
                    std::span(out_).first(count * n_out_));
  for (std::size_t k = 0; k < count; ++k) {
    sink_({asked_[k].image, asked_[k].t, std::span(x0_).subspan(k * n_, n_),
           std::span(eps_).subspan(k * n_, n_), std::span(out_).subspan(k * n_out_, n_out_)});
  }
  asked_.clear();
  time_.clear();
  label_.clear();
}

}  // namespace ddpm
