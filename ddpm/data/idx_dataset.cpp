#include "ddpm/data/idx_dataset.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "ddpm/data/class_names.h"
#include "ddpm/data/idx.h"

namespace ddpm {
namespace {

namespace fs = std::filesystem;

struct Names {
  std::string_view images, labels;
};
constexpr std::array kNames = {Names{"-images-idx3-", "-labels-idx1-"},
                               Names{"-images.idx3-", "-labels.idx1-"}};
constexpr std::string_view kGz = ".gz";

// The labels' name, none when the images' name is of another form.
std::optional<std::string> labels_name(std::string name) {
  for (const Names& form : kNames) {
    const auto at = name.rfind(form.images);
    if (at != std::string::npos) return name.replace(at, form.images.size(), form.labels);
  }
  return std::nullopt;
}

Result<void> add_labels(const fs::path& path, std::size_t images, ImageTable& table) {
  const auto labels = read_idx(path, 1);
  if (!labels) return tl::unexpected(labels.error());
  if (labels->values.size() != images) {
    return fail(FailureCode::corrupt,
                "[data] {}: got {} labels, expected one for each of the {} images", path.string(),
                labels->values.size(), images);
  }
  table.labels.assign(labels->values.begin(), labels->values.end());
  table.classes = numbered_classes(1 + *std::ranges::max_element(table.labels));
  return {};
}

}  // namespace

std::optional<fs::path> labels_beside(const fs::path& images) {
  const auto name = labels_name(images.filename().string());
  if (!name) return std::nullopt;
  const std::string other =
      name->ends_with(kGz) ? name->substr(0, name->size() - kGz.size()) : *name + std::string(kGz);
  for (const std::string& candidate : {*name, other}) {
    std::error_code unknown;
    fs::path path = images.parent_path() / candidate;
    if (fs::exists(path, unknown)) return path;
  }
  return std::nullopt;
}

Result<ImageTable> read_idx_images(const fs::path& images) {
  auto array = read_idx(images, 3);
  if (!array) return tl::unexpected(array.error());
  ImageTable table;
  table.shape = {1, static_cast<int>(array->dims[1]), static_cast<int>(array->dims[2])};
  table.pixels = std::move(array->values);
  table.description = fmt::format("IDX file {}", images.string());
  if (const auto path = labels_beside(images)) {
    if (auto added = add_labels(*path, array->dims[0], table); !added) {
      return tl::unexpected(added.error());
    }
  }
  return table;
}

}  // namespace ddpm
