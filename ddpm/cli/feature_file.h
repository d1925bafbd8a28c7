// Files of features and statistics, as `ddpm metrics` reads and writes them.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "ddpm/cli/shard.h"
#include "ddpm/metrics/report.h"

namespace ddpm::cli {

struct FeatureFile {
  ImageSet set;
  std::optional<NpyArray> images;  // an array of three axes or more, perhaps beside statistics
};

/// .npy: features [N, d]. .npz: `features` (or `arr_0`), `logits`, `spatial`, or the statistics
/// `mu`, `sigma`, `mu_s`, `sigma_s`; `made_by` where we wrote it. Throws Error (bad_input).
FeatureFile read_feature_file(const std::filesystem::path& path);

/// The .npy and .npz files of a folder, sorted; numbers in names by their value: 2.npz before
/// 10.npz.
std::vector<std::filesystem::path> list_feature_files(const std::filesystem::path& folder);

/// Shards of features, put together. Throws Error (bad_input) when they are of different networks
/// or hold different parts.
ImageSet read_feature_folder(const std::filesystem::path& folder);

/// The rows of that shard. Throws Error when there are statistics alone, or no rows.
ImageSet shard_of(ImageSet set, const Shard& shard);

/// An .npz of features, and of statistics with the means of `recipe`, with `made_by`.
std::string features_npz(const ImageSet& set);
std::string statistics_npz(const ImageSet& set, const Recipe& recipe, ThreadPool& pool);

}  // namespace ddpm::cli
