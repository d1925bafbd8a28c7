// Networks that say of an image what scores compare: FID's Inception-v3, or any classifier.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "ddpm/engine/cpu/cpu.h"
#include "ddpm/image/resize_float.h"
#include "ddpm/metrics/image_source.h"
#include "ddpm/metrics/report.h"
#include "ddpm/net/classifier.h"
#include "ddpm/net/inception.h"

namespace ddpm {

class FeatureNet {
 public:
  virtual ~FeatureNet() = default;

  /// One part of the output, by its name in ImageSet: "features", "logits", "spatial".
  struct Part {
    std::string name;
    int dims;
  };
  virtual std::vector<Part> parts() const = 0;
  /// Images that it takes at once.
  virtual int max_batch() const = 0;
  /// out: for each image the parts one after another. Throws Error (bad_input) for images that the
  /// network can't take.
  virtual void run(std::span<const Planes> images, std::span<float> out) = 0;
  /// What the features are, as ImageSet::made_by.
  virtual std::string name() const = 0;
};

struct InceptionOptions {
  InputPipeline pipeline = InputPipeline::torch_fidelity;
  InceptionTap features = InceptionTap::pool;
  bool logits = true, spatial = true;
  cpu::Profile profile = cpu::Profile::f32_direct;
};

/// FID's network with a file's tensors; `file` names them in messages. `pool` must outlive it.
/// Throws Error (bad_input) as inception_params().
std::unique_ptr<FeatureNet> inception_net(const TensorFile& weights, const std::string& file,
                                          const InceptionOptions& options, ThreadPool& pool);

/// What `classifier` says of images of its own size, as they are (gray becomes RGB where it wants
/// that): "features" and "logits". `name` is what reports call it. `unrounded` images are another
/// input, and named so. `pool` must outlive it. Throws Error (bad_input) for one of noisy images.
std::unique_ptr<FeatureNet> classifier_net(const Classifier& classifier, const std::string& name,
                                           bool unrounded, cpu::Profile profile, ThreadPool& pool);

/// `image` with three channels.
Planes as_rgb(const Planes& image);

/// Features of the images [range.first, range.last). `progress` hears how many are done, and may
/// throw to stop. Throws Error (bad_input) for an empty range.
ImageSet extract(ImageSource& images, FeatureNet& net, ShardRange range,
                 const std::function<void(std::int64_t done)>& progress);

}  // namespace ddpm
