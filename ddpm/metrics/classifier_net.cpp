// A classifier of small images as a source of features.
#include <algorithm>
#include <bit>

#include "ddpm/base/error.h"
#include "ddpm/base/file.h"
#include "ddpm/metrics/feature_net.h"

namespace ddpm {
namespace {

constexpr int kClassifierBatch = 16;

std::string fingerprint(const Params& params) {
  static_assert(std::endian::native == std::endian::little);
  const std::span<const float> all = params.all();
  const std::string_view bytes(reinterpret_cast<const char*>(all.data()), all.size_bytes());
  return sha256_hex(bytes).substr(0, 16);
}

// ImageSet::made_by is words of printable characters.
std::string one_word(std::string name) {
  std::ranges::replace_if(name, [](char c) { return c <= ' ' || c > '~'; }, '_');
  return name;
}

class ClassifierNet : public FeatureNet {
 public:
  ClassifierNet(const Classifier& c, const std::string& name, bool unrounded, cpu::Profile profile,
                ThreadPool& pool)
      : config_(c.config),
        name_(fmt::format("classifier:{} {} {}", one_word(name), unrounded ? "unrounded" : "bytes",
                          fingerprint(c.params))),
        net_(cpu::make_denoiser(c.graph(ClassifierOutput::both), c.params, kClassifierBatch, pool,
                                profile)) {}

  std::vector<Part> parts() const override {
    return {{"features", config_.features()}, {"logits", config_.num_classes}};
  }
  int max_batch() const override { return kClassifierBatch; }
  std::string name() const override { return name_; }

  void run(std::span<const Planes> images, std::span<float> out) override {
    std::vector<float> x;
    for (const Planes& image : images) append(image, x);
    net_->predict(x, std::vector<double>(images.size()), out);
  }

 private:
  // As training scales bytes.
  void append(const Planes& image, std::vector<float>& x) const {
    const Shape want = net_->shape(), got = image.shape;
    const bool gray_for_rgb = got.c == 1 && want.c == 3;
    if (got.h != want.h || got.w != want.w || (got.c != want.c && !gray_for_rgb)) {
      throw Error(ExitCode::bad_input,
                  "[metrics] {}: got images of {} x {} x {} (channels, height, width), expected "
                  "{} x {} x {}, which it was trained on; try the images in that size",
                  name_.substr(0, name_.find(' ')), got.c, got.h, got.w, want.c, want.h, want.w);
    }
    const Planes planes = gray_for_rgb ? as_rgb(image) : image;
    for (const float v : planes.values) x.push_back(v / 127.5f - 1);
  }

  ClassifierConfig config_;
  std::string name_;
  std::unique_ptr<Denoiser> net_;
};

}  // namespace

std::unique_ptr<FeatureNet> classifier_net(const Classifier& classifier, const std::string& name,
                                           bool unrounded, cpu::Profile profile, ThreadPool& pool) {
  if (classifier.config.noisy) {
    throw Error(ExitCode::bad_input,
                "[metrics] {}: got a classifier of noisy images, expected one of clean images "
                "(noisy = false)",
                name);
  }
  return std::make_unique<ClassifierNet>(classifier, name, unrounded, profile, pool);
}

}  // namespace ddpm
