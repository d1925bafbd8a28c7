#include "ddpm/cli/feature_file.h"

#include <algorithm>

#include "ddpm/base/error.h"
#include "ddpm/base/file.h"
#include "ddpm/base/utf8.h"
#include "ddpm/data/npy.h"

namespace ddpm::cli {
namespace fs = std::filesystem;
namespace {

using Arrays = std::map<std::string, NpyArray>;
using Part = std::optional<Features> ImageSet::*;

constexpr std::pair<const char*, Part> kParts[] = {{"features", &ImageSet::features},
                                                   {"logits", &ImageSet::logits},
                                                   {"spatial", &ImageSet::spatial}};
constexpr std::size_t kLongestMadeBy = 200;

void check_counts(const ImageSet& set) {
  const std::int64_t n = set.count();
  for (const auto& [name, part] : kParts) {
    if (!(set.*part).has_value() || (set.*part)->rows() == n) continue;
    throw Error(ExitCode::bad_input,
                "[cli] metrics: {}: got {} images in one array and {} in `{}`, expected as many in "
                "each; try to write the file anew",
                set.name, n, (set.*part)->rows(), name);
  }
}

// Printable ASCII alone: it is printed.
std::string made_by(const Arrays& arrays) {
  const auto found = arrays.find("made_by");
  if (found == arrays.end() || found->second.type != NpyType::u8) return {};
  std::string text = found->second.bytes.substr(0, kLongestMadeBy);
  std::erase_if(text, [](char c) { return c < ' ' || c > '~'; });
  return text;
}

FeatureFile read_npz(const fs::path& path) {
  FeatureFile file{.set = {.name = to_utf8(path.string())}};
  ImageSet& set = file.set;
  const std::string bytes = value_or_throw(read_file(path));
  Arrays arrays = value_or_throw(parse_npz(
      bytes, set.name,
      {"mu", "sigma", "n", "mu_s", "sigma_s", "features", "logits", "spatial", "made_by"}));
  // NumPy's name for an array without one. guided-diffusion's files hold images under it, beside
  // their statistics or those of more images.
  if (arrays.count("features") == 0) {
    auto unnamed = value_or_throw(parse_npz(bytes, set.name, {"arr_0"}));
    if (!unnamed.empty() && unnamed["arr_0"].shape.size() > 2) {
      file.images = std::move(unnamed["arr_0"]);
    } else if (!unnamed.empty() && arrays.count("mu") + arrays.count("sigma") == 0) {
      arrays["features"] = std::move(unnamed["arr_0"]);
    }
  }
  for (const auto& [name, part] : kParts) {
    const auto found = arrays.find(name);
    if (found == arrays.end()) continue;
    set.*part = to_features(found->second, set.name + ":" + name);
    arrays.erase(found);
  }
  set.statistics = from_arrays(arrays, set.name);
  set.spatial_statistics = from_arrays(arrays, set.name, "_s");
  set.made_by = made_by(arrays);
  if (!set.features && !set.logits && !set.statistics && !file.images) {
    throw Error(
        ExitCode::bad_input,
        "[cli] metrics: got {} without an array of a known name, expected `mu` and `sigma`, "
        "`features`, `logits` or `arr_0`; try to write it by ddpm metrics --save-features",
        set.name);
  }
  check_counts(set);
  return file;
}

void check_alike(const ImageSet& a, const ImageSet& b) {
  if (!same_maker(a, b)) {
    throw Error(ExitCode::bad_input,
                "[cli] metrics: {} holds features of {}, but {} of {}: they can't be put together",
                a.name, a.made_by.empty() ? "an unnamed network" : a.made_by, b.name,
                b.made_by.empty() ? "an unnamed network" : b.made_by);
  }
  for (const auto& [name, part] : kParts) {
    if ((a.*part).has_value() == (b.*part).has_value()) continue;
    const bool in_a = (a.*part).has_value();
    throw Error(ExitCode::bad_input, "[cli] metrics: {} has `{}`, but {} has not",
                in_a ? a.name : b.name, name, in_a ? b.name : a.name);
  }
}

Arrays with_made_by(Arrays arrays, const std::string& text) {
  if (!text.empty()) {
    arrays["made_by"] = {NpyType::u8, {static_cast<std::int64_t>(text.size())}, text};
  }
  return arrays;
}

template <class T>
std::vector<T> values_of(const Features& f) {
  std::vector<T> values;
  values.reserve(std::size_t{1} * f.rows() * f.dims());
  for (int i = 0; i < f.rows(); ++i) {
    for (int j = 0; j < f.dims(); ++j) values.push_back(static_cast<T>(f.at(i, j)));
  }
  return values;
}

// Digits at the beginning of `text`, without zeros before them, taken off it.
std::string_view take_number(std::string_view& text) {
  text.remove_prefix(std::min(text.find_first_not_of('0'), text.size()));
  const std::string_view number = text.substr(0, text.find_first_not_of("0123456789"));
  text.remove_prefix(number.size());
  return number;
}

bool is_digit(std::string_view text) { return !text.empty() && text[0] >= '0' && text[0] <= '9'; }

// Numbers by value, everything else byte by byte.
bool comes_before(std::string_view a, std::string_view b) {
  const std::string_view whole_a = a, whole_b = b;
  while (!a.empty() && !b.empty()) {
    if (is_digit(a) && is_digit(b)) {
      const std::string_view m = take_number(a), n = take_number(b);
      if (m.size() != n.size()) return m.size() < n.size();
      if (m != n) return m < n;
      continue;
    }
    if (a[0] != b[0]) return a[0] < b[0];
    a.remove_prefix(1);
    b.remove_prefix(1);
  }
  return a.size() != b.size() ? a.size() < b.size() : whole_a < whole_b;
}

NpyArray as_array(const Features& f) {
  return f.is_double() ? npy_f64({f.rows(), f.dims()}, values_of<double>(f))
                       : npy_f32({f.rows(), f.dims()}, values_of<float>(f));
}

}  // namespace

FeatureFile read_feature_file(const fs::path& path) {
  if (path.extension() == ".npz") return read_npz(path);
  FeatureFile file{.set = {.name = to_utf8(path.string())}};
  NpyArray array = value_or_throw(parse_npy(value_or_throw(read_file(path)), file.set.name));
  if (array.shape.size() > 2) {
    file.images = std::move(array);
  } else {
    file.set.features = to_features(array, file.set.name);
  }
  return file;
}

std::vector<fs::path> list_feature_files(const fs::path& folder) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(folder)) {
    const fs::path extension = entry.path().extension();
    if (extension == ".npy" || extension == ".npz") files.push_back(entry.path());
  }
  std::ranges::sort(files, comes_before, [](const fs::path& p) { return p.filename().string(); });
  return files;
}

ImageSet read_feature_folder(const fs::path& folder) {
  std::vector<ImageSet> sets;
  for (const fs::path& path : list_feature_files(folder)) {
    FeatureFile file = read_feature_file(path);
    if (file.images || !(file.set.features || file.set.logits)) {
      throw Error(ExitCode::bad_input,
                  "[cli] metrics: {} in a folder of shards holds no features, expected arrays "
                  "[N, d] as --save-features writes them",
                  file.set.name);
    }
    if (!sets.empty()) check_alike(sets[0], file.set);
    sets.push_back(std::move(file.set));
  }
  ImageSet whole{.name = to_utf8(folder.string()), .made_by = sets.at(0).made_by};
  for (const auto& [name, part] : kParts) {
    std::vector<Features> parts;
    for (ImageSet& set : sets) {
      if (set.*part) parts.push_back(std::move(*(set.*part)));
    }
    if (!parts.empty()) whole.*part = concatenate(parts);
  }
  return whole;
}

ImageSet shard_of(ImageSet set, const Shard& shard) {
  if (shard.count == 1) return set;
  if (!set.features && !set.logits) {
    throw Error(
        "[cli] metrics: got --shard {}/{} for the statistics {}, expected images, features or a "
        "model; try without --shard",
        shard.index, shard.count, set.name);
  }
  const ShardRange range = shard_range(set.count(), shard.index, shard.count);
  if (range.first == range.last) {
    throw Error(
        ExitCode::bad_input,
        "[cli] metrics: got no images in --shard {}/{} of {}, which has {}; try fewer parts",
        shard.index, shard.count, set.name, set.count());
  }
  for (const auto& [name, part] : kParts) {
    if (!(set.*part)) continue;
    set.*part = (set.*part)->slice(static_cast<int>(range.first), static_cast<int>(range.last));
  }
  set.statistics = set.spatial_statistics = std::nullopt;  // of the whole
  return set;
}

std::string features_npz(const ImageSet& set) {
  Arrays arrays;
  for (const auto& [name, part] : kParts) {
    if (set.*part) arrays[name] = as_array(*(set.*part));
  }
  return write_npz(with_made_by(std::move(arrays), set.made_by));
}

std::string statistics_npz(const ImageSet& set, const Recipe& recipe, ThreadPool& pool) {
  if (!set.features && !set.statistics) {
    throw Error(ExitCode::bad_input, "[cli] metrics: {} has no features", set.name);
  }
  Arrays arrays =
      to_arrays(set.statistics ? *set.statistics : statistics_like(recipe, *set.features, pool));
  std::optional<Statistics> spatial = set.spatial_statistics;
  if (!spatial && set.spatial) spatial = statistics_like(recipe, *set.spatial, pool);
  if (spatial) {
    Arrays more = to_arrays(*spatial);
    arrays["mu_s"] = std::move(more["mu"]);
    arrays["sigma_s"] = std::move(more["sigma"]);
  }
  return write_npz(with_made_by(std::move(arrays), set.made_by));
}

}  // namespace ddpm::cli
