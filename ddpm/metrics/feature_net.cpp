#include "ddpm/metrics/feature_net.h"

#include <algorithm>
#include <map>

#include "ddpm/base/error.h"

namespace ddpm {
namespace {

constexpr int kBatch = 8;  // larger ones leave the caches

// sFID's values as guided-diffusion has them: row, column, channel.
void channels_last(std::span<float> values) {
  constexpr std::size_t kChannels = kSpatialChannels;
  const std::size_t pixels = values.size() / kChannels;
  const std::vector<float> planes(values.begin(), values.end());
  for (std::size_t c = 0; c < kChannels; ++c) {
    for (std::size_t p = 0; p < pixels; ++p) values[p * kChannels + c] = planes[c * pixels + p];
  }
}

class InceptionNet : public FeatureNet {
 public:
  InceptionNet(const TensorFile& weights, const std::string& file, const InceptionOptions& options,
               ThreadPool& pool)
      : options_(options), pool_(pool) {
    std::vector<InceptionTap> taps;
    const auto add = [&](const char* name, InceptionTap tap) {
      taps.push_back(tap);
      parts_.push_back({name, dims(tap)});
    };
    add("features", options.features);
    if (options.logits) add("logits", InceptionTap::logits_unbiased);
    if (options.spatial) add("spatial", InceptionTap::spatial);
    const Graph graph = inception(taps).graph;
    const Params params = inception_params(graph, weights, file);
    fingerprint_ = inception_fingerprint(weights);
    net_ = cpu::make_denoiser(graph, params, kBatch, pool, options.profile);
    input_.resize(kBatch * net_->shape().size());
  }

  std::vector<Part> parts() const override { return parts_; }
  int max_batch() const override { return kBatch; }

  void run(std::span<const Planes> images, std::span<float> out) override {
    const auto n = static_cast<int>(images.size());
    const std::size_t size = net_->shape().size();
    pool_.run(n, [&](int i, int) {
      const Planes rgb = as_rgb(images[i]);
      const auto x = inception_input(rgb.values, rgb.shape, options_.pipeline);
      std::copy(x.begin(), x.end(), input_.begin() + static_cast<std::ptrdiff_t>(i * size));
    });
    const std::vector<double> time(images.size());
    net_->predict(std::span(input_).first(n * size), time, out);
    if (!options_.spatial) return;
    const std::size_t width = out.size() / images.size(), values = dims(InceptionTap::spatial);
    for (int i = 0; i < n; ++i) {
      channels_last(out.subspan((i + 1) * width - values, values));
    }
  }

  std::string name() const override {
    return fmt::format("inception:{} {} {}", to_string(options_.features),
                       to_string(options_.pipeline), fingerprint_);
  }

 private:
  InceptionOptions options_;
  ThreadPool& pool_;
  std::string fingerprint_;
  std::vector<Part> parts_;
  std::unique_ptr<Denoiser> net_;
  std::vector<float> input_;
};

}  // namespace

Planes as_rgb(const Planes& image) {
  if (image.shape.c == 3) return image;
  DDPM_CHECK(image.shape.c == 1, "{}", image.shape.c);
  Planes rgb{{3, image.shape.h, image.shape.w}, {}};
  for (int c = 0; c < 3; ++c) {
    rgb.values.insert(rgb.values.end(), image.values.begin(), image.values.end());
  }
  return rgb;
}

std::unique_ptr<FeatureNet> inception_net(const TensorFile& weights, const std::string& file,
                                          const InceptionOptions& options, ThreadPool& pool) {
  return std::make_unique<InceptionNet>(weights, file, options, pool);
}

ImageSet extract(ImageSource& images, FeatureNet& net, ShardRange range,
                 const std::function<void(std::int64_t done)>& progress) {
  if (range.first >= range.last) {
    throw Error(ExitCode::bad_input,
                "[metrics] {}: got 0 images, expected at least 2; try another folder or file",
                images.description());
  }
  const auto parts = net.parts();
  std::size_t width = 0;
  for (const auto& part : parts) width += part.dims;
  std::map<std::string, std::vector<float>> columns;
  std::vector<float> out;
  for (std::int64_t first = range.first; first < range.last; first += net.max_batch()) {
    const auto n = static_cast<int>(std::min<std::int64_t>(net.max_batch(), range.last - first));
    out.resize(n * width);
    net.run(images.load(first, n), out);
    const float* from = out.data();
    for (int i = 0; i < n; ++i) {
      for (const auto& part : parts) {
        columns[part.name].insert(columns[part.name].end(), from, from + part.dims);
        from += part.dims;
      }
    }
    progress(first + n - range.first);
  }
  ImageSet set{.name = images.description(), .made_by = net.name()};
  for (const auto& part : parts) {
    Features features(part.dims, std::move(columns[part.name]), set.name + ":" + part.name);
    auto& place = part.name == "features" ? set.features
                  : part.name == "logits" ? set.logits
                                          : set.spatial;
    place = std::move(features);
  }
  return set;
}

}  // namespace ddpm
