// The two sides of `ddpm metrics`: features, statistics, or images of any kind made into features.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "ddpm/cli/shard.h"
#include "ddpm/metrics/feature_net.h"

namespace ddpm::cli {

struct ScoreInputOptions {
  std::string features = "inception";  // the network: inception[:TAP], or a classifier
  std::string inception;               // its weights; "" = the cache folder
  Recipe recipe;                       // what is asked of the network, and its input
  cpu::Profile profile = cpu::Profile::f32_direct;
  std::int64_t count = 10'000;   // samples of a model
  std::string plan = "ddim:50";  // theirs
  std::uint64_t seed = 0;        // theirs
  Shard shard;
};

/// Opens inputs one after another; Inception is made when the first images come.
class ScoreInputs {
 public:
  /// `pool` must outlive it. Throws Error when there is no such network.
  ScoreInputs(ScoreInputOptions options, ThreadPool& pool);

  /// Throws Error (bad_input) when there is nothing of that name: before any work is done.
  static void check(const std::string& input);

  /// INPUT is
  ///  - features: an .npy array [N, d], an .npz of `features` (or `arr_0`), `logits`, `spatial`, a
  ///    folder of either (shards, in the order of their names);
  ///  - statistics: an .npz of `mu`, `sigma` (and `mu_s`, `sigma_s`);
  ///  - images: DATA of open_dataset(), a .zip of PNGs, .npy or .npz arrays of three axes or more;
  ///  - a model: its folder, a run folder or a shipped model's name.
  /// Throws Error (bad_input) for everything else.
  ImageSet open(const std::string& input);

  /// The features of `images`; progress is shown, or `progress` hears of it and may throw to stop.
  ImageSet extract_from(ImageSource& images);
  ImageSet extract_from(ImageSource& images,
                        const std::function<void(std::int64_t done)>& progress);

  /// Whether images came, so that the network ran.
  bool has_network() const { return used_; }

 private:
  ImageSet open_file(const std::string& path);
  ImageSet open_folder(const std::string& path);
  FeatureNet& net();
  ImageOptions image_options() const;
  ShardRange range_of(const ImageSource& images) const;

  ScoreInputOptions options_;
  ThreadPool& pool_;
  std::unique_ptr<FeatureNet> net_;
  bool used_ = false;
};

}  // namespace ddpm::cli
