#include "ddpm/cli/score_input.h"

#include <algorithm>
#include <filesystem>

#include "ddpm/base/error.h"
#include "ddpm/base/file.h"
#include "ddpm/base/suggest.h"
#include "ddpm/base/utf8.h"
#include "ddpm/cli/feature_file.h"
#include "ddpm/cli/inception_file.h"
#include "ddpm/cli/model_images.h"
#include "ddpm/cli/options.h"
#include "ddpm/cli/output.h"
#include "ddpm/cli/progress.h"
#include "ddpm/cli/signals.h"
#include "ddpm/data/cifar.h"

namespace ddpm::cli {
namespace fs = std::filesystem;
namespace {

constexpr std::string_view kInception = "inception";

bool is_inception(const std::string& features) {
  return features.substr(0, features.find(':')) == kInception;
}

// inception, inception:64, ... Throws Error for everything else.
InceptionTap parse_tap(const std::string& features) {
  if (features == kInception) return InceptionTap::pool;
  for (const auto tap :
       {InceptionTap::block64, InceptionTap::block192, InceptionTap::block768, InceptionTap::pool,
        InceptionTap::logits, InceptionTap::logits_unbiased, InceptionTap::spatial}) {
    if (features == fmt::format("{}:{}", kInception, to_string(tap))) return tap;
  }
  throw Error(
      "[cli] --features: got {}, expected inception, inception:TAP with TAP 64, 192, 768, 2048, "
      "logits, logits_unbiased or spatial, or a classifier's folder or name",
      features);
}

// A name, or the last part of a path, for reports.
std::string short_name(const std::string& folder) {
  const fs::path path = fs::path(folder).lexically_normal();
  return to_utf8((path.has_filename() ? path : path.parent_path()).filename().string());
}

std::unique_ptr<FeatureNet> open_classifier_net(const ScoreInputOptions& options,
                                                ThreadPool& pool) {
  const std::string& name = options.features;
  std::error_code none;
  const bool plain = name.find_first_of("/.") == std::string::npos && !fs::exists(name, none);
  if (plain && !nearest(name, {std::string(kInception)}).empty()) (void)parse_tap(name);  // a slip
  return classifier_net(open_classifier(name), short_name(name),
                        options.recipe.pipeline == InputPipeline::ddpm, options.profile, pool);
}

bool has(const fs::path& folder, const char* name) {
  std::error_code none;
  return fs::exists(folder / name, none);
}

bool is_model(const fs::path& folder) {
  return has(folder, "model_index.json") || has(folder, "unet") || has(folder, "latest") ||
         has(folder, "config.json");
}

}  // namespace

ScoreInputs::ScoreInputs(ScoreInputOptions options, ThreadPool& pool)
    : options_(std::move(options)), pool_(pool) {
  if (is_inception(options_.features)) {
    parse_tap(options_.features);  // before any work
  } else {
    net_ = open_classifier_net(options_, pool_);
  }
}

FeatureNet& ScoreInputs::net() {
  if (net_) return *net_;
  const InceptionTap tap = parse_tap(options_.features);
  const InceptionFile file = open_inception(options_.inception);
  const bool whole = tap == InceptionTap::pool;  // other taps are compared alone
  net_ = inception_net(file.tensors, to_utf8(file.path.string()),
                       {.pipeline = options_.recipe.pipeline,
                        .features = tap,
                        .logits = whole && options_.recipe.inception_score,
                        .spatial = whole && options_.recipe.spatial,
                        .profile = options_.profile},
                       pool_);
  return *net_;
}

ShardRange ScoreInputs::range_of(const ImageSource& images) const {
  return shard_range(images.size(), options_.shard.index, options_.shard.count);
}

ImageOptions ScoreInputs::image_options() const {
  return {.alpha = options_.recipe.alpha, .round = options_.recipe.pipeline != InputPipeline::ddpm};
}

ImageSet ScoreInputs::extract_from(ImageSource& images) {
  (void)net();  // its making is no part of the rate
  SignalWatch watch;
  const ShardRange range = range_of(images);
  Progress progress("features", range.last - range.first);
  ImageSet set = extract_from(images, [&](std::int64_t done) {
    progress.update(done, images.description());
    watch.check();
  });
  progress.finish();
  return set;
}

ImageSet ScoreInputs::extract_from(ImageSource& images,
                                   const std::function<void(std::int64_t done)>& progress) {
  used_ = true;
  return extract(images, net(), range_of(images), progress);
}

void ScoreInputs::check(const std::string& input) {
  std::error_code none;
  if (fs::exists(input, none) || input.find(':') != std::string::npos) return;
  if (input.find_first_of("/.") == std::string::npos) {
    (void)find_model(input);  // or it throws
    return;
  }
  throw Error(
      ExitCode::bad_input,
      "[cli] metrics: {}: no such file or folder, expected images, features or statistics, a "
      "model's folder or name; try ddpm metrics --help",
      input);
}

ImageSet ScoreInputs::open(const std::string& input) {
  check(input);
  std::error_code none;
  if (fs::is_directory(input, none)) return open_folder(input);
  if (fs::exists(input, none)) return open_file(input);
  if (input.find(':') != std::string::npos) {  // fashion-mnist:test, FOLDER:test
    return extract_from(*dataset_images(open_dataset(input)));
  }
  return extract_from(*model_images(open_model(input), options_.count, options_.plan, options_.seed,
                                    image_options().round, pool_));
}

ImageSet ScoreInputs::open_folder(const std::string& path) {
  if (!list_feature_files(path).empty()) {
    return shard_of(read_feature_folder(path), options_.shard);
  }
  if (is_model(path)) {
    return extract_from(*model_images(open_model(path), options_.count, options_.plan,
                                      options_.seed, image_options().round, pool_));
  }
  if (!cifar_files(path, false).empty() || !cifar_files(path, true).empty()) {
    return extract_from(*dataset_images(open_dataset(path)));
  }
  return extract_from(*folder_images(path, image_options(), pool_));
}

ImageSet ScoreInputs::open_file(const std::string& path) {
  const std::string extension = fs::path(path).extension().string();
  if (extension == ".zip") return extract_from(*zip_images(path, image_options(), pool_));
  if (extension != ".npy" && extension != ".npz") {
    return extract_from(*dataset_images(open_dataset(path)));
  }
  FeatureFile file = read_feature_file(path);
  const Recipe& r = options_.recipe;
  const bool needs_features = r.kid || r.precision_recall || r.density_coverage;
  if (!file.images || (file.set.statistics && !needs_features && options_.shard.count == 1)) {
    return shard_of(std::move(file.set), options_.shard);
  }
  ImageSet set =
      extract_from(*array_images(std::move(*file.images), file.set.name, image_options()));
  if (options_.shard.count == 1) {
    set.statistics = std::move(file.set.statistics);
    set.spatial_statistics = std::move(file.set.spatial_statistics);
  }
  return set;
}

}  // namespace ddpm::cli
