#include "ddpm/cli/image_set.h"

#include <algorithm>

#include "ddpm/base/error.h"
#include "ddpm/base/file.h"
#include "ddpm/base/utf8.h"
#include "ddpm/data/npy.h"

namespace ddpm::cli {
namespace fs = std::filesystem;
namespace {

Features features_of_npy(const fs::path& path) {
  const std::string name = to_utf8(path.string());
  return to_features(value_or_throw(parse_npy(value_or_throw(read_file(path)), name)), name);
}

Features features_of_folder(const fs::path& folder) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.path().extension() == ".npy") files.push_back(entry.path());
  }
  if (files.empty()) {
    throw Error(
        ExitCode::bad_input,
        "[cli] metrics: no .npy file in the folder {}, expected features (images and models "
        "can't be scored yet)",
        to_utf8(folder.string()));
  }
  std::sort(files.begin(), files.end());
  std::vector<Features> parts;
  for (const fs::path& file : files) parts.push_back(features_of_npy(file));
  return concatenate(parts);
}

void check_counts(const ImageSet& set) {
  const std::int64_t n = set.count();
  for (const auto* part : {&set.logits, &set.spatial}) {
    if (!part->has_value() || (*part)->rows() == n) continue;
    throw Error(ExitCode::bad_input, "[cli] metrics: {} has arrays of {} and {} images", set.name,
                n, (*part)->rows());
  }
}

void read_npz(const fs::path& path, ImageSet& set) {
  const std::string bytes = value_or_throw(read_file(path));
  auto arrays = value_or_throw(parse_npz(
      bytes, set.name, {"mu", "sigma", "n", "mu_s", "sigma_s", "features", "logits", "spatial"}));
  // NumPy's name for an array without one; guided-diffusion's files hold images under it.
  if (arrays.count("mu") + arrays.count("sigma") + arrays.count("features") == 0) {
    auto unnamed = value_or_throw(parse_npz(bytes, set.name, {"arr_0"}));
    if (!unnamed.empty()) arrays["features"] = std::move(unnamed["arr_0"]);
  }
  const auto features = [&](const char* key) -> std::optional<Features> {
    const auto found = arrays.find(key);
    if (found == arrays.end()) return {};
    return to_features(found->second, set.name + ":" + key);
  };
  set.features = features("features");
  set.logits = features("logits");
  set.spatial = features("spatial");
  set.statistics = from_arrays(arrays, set.name);
  set.spatial_statistics = from_arrays(arrays, set.name, "_s");
  if (!set.features && !set.logits && !set.statistics) {
    throw Error(ExitCode::bad_input,
                "[cli] metrics: {} has no array of a known name, expected `mu` and `sigma`, "
                "`features`, `logits` or `arr_0`",
                set.name);
  }
  check_counts(set);
}

}  // namespace

ImageSet open_image_set(const fs::path& path) {
  ImageSet set{.name = to_utf8(path.string())};
  std::error_code none;
  const fs::path extension = path.extension();
  if (fs::is_directory(path, none)) {
    set.features = features_of_folder(path);
  } else if (extension == ".npy") {
    set.features = features_of_npy(path);
  } else if (extension == ".npz") {
    read_npz(path, set);
  } else {
    throw Error(
        ExitCode::bad_input,
        "[cli] metrics: got {}, expected features (.npy, .npz or a folder of .npy shards) or "
        "statistics (.npz with mu and sigma); images and models can't be scored yet",
        set.name);
  }
  return set;
}

}  // namespace ddpm::cli
