#include "ddpm/data/cifar.h"

#include <algorithm>

#include "ddpm/base/file.h"
#include "ddpm/data/class_names.h"

namespace ddpm {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kPixels = 3 * 32 * 32;

// The label that we use is the last of the record's label bytes.
struct Layout {
  std::size_t label_bytes;
  int classes;

  std::size_t record() const { return label_bytes + kPixels; }
};
constexpr Layout kCifar10{1, 10}, kCifar100{2, 100};

int label_of(std::string_view bytes, const Layout& layout, std::size_t i) {
  return static_cast<unsigned char>(bytes[i * layout.record() + layout.label_bytes - 1]);
}

// The first record whose label is out of range, or the number of records.
std::size_t first_bad(std::string_view bytes, const Layout& layout) {
  const std::size_t count = bytes.size() / layout.record();
  for (std::size_t i = 0; i < count; ++i) {
    if (label_of(bytes, layout, i) >= layout.classes) return i;
  }
  return count;
}

bool whole(std::string_view bytes, const Layout& layout) {
  return !bytes.empty() && bytes.size() % layout.record() == 0;
}

// A length that is whole records of both kinds (first at 9.4 MB) is decided by the labels.
const Layout* layout_of(std::string_view bytes) {
  const bool ten = whole(bytes, kCifar10), hundred = whole(bytes, kCifar100);
  if (ten && hundred) {
    return first_bad(bytes, kCifar10) == bytes.size() / kCifar10.record() ? &kCifar10 : &kCifar100;
  }
  if (ten) return &kCifar10;
  return hundred ? &kCifar100 : nullptr;
}

bool is_batch(const std::string& name) {
  return name.starts_with("data_batch_") && name.ends_with(".bin");
}

}  // namespace

Result<ImageTable> parse_cifar(std::string_view bytes, const std::string& name) {
  const Layout* layout = layout_of(bytes);
  if (layout == nullptr) {
    return fail(FailureCode::need_more,
                "[data] {}: got {} bytes, expected records of 3073 (CIFAR-10) or 3074 (CIFAR-100); "
                "is the file cut short?",
                name, bytes.size());
  }
  const std::size_t count = bytes.size() / layout->record();
  if (const std::size_t bad = first_bad(bytes, *layout); bad < count) {
    return fail(FailureCode::corrupt, "[data] {}: got label {} in record {}, expected 0..{}", name,
                label_of(bytes, *layout, bad), bad, layout->classes - 1);
  }
  ImageTable table{
      .shape = {3, 32, 32}, .pixels = {}, .labels = {}, .classes = {}, .description = name};
  table.classes = layout->classes == 10 ? cifar10_classes() : cifar100_classes();
  table.pixels.reserve(count * kPixels);
  for (std::size_t i = 0; i < count; ++i) {
    table.labels.push_back(static_cast<std::uint8_t>(label_of(bytes, *layout, i)));
    table.pixels += bytes.substr(i * layout->record() + layout->label_bytes, kPixels);
  }
  return table;
}

Result<ImageTable> read_cifar(std::span<const fs::path> files) {
  DDPM_CHECK(!files.empty());
  ImageTable all;
  for (const fs::path& file : files) {
    const auto bytes = read_file(file);
    if (!bytes) return tl::unexpected(bytes.error());
    auto table = parse_cifar(*bytes, file.string());
    if (!table) return table;
    if (all.pixels.empty()) {
      all = std::move(*table);
      continue;
    }
    if (table->classes.size() != all.classes.size()) {
      return fail(FailureCode::corrupt, "[data] {}: got {} classes, expected {} as in {}",
                  file.string(), table->classes.size(), all.classes.size(), files[0].string());
    }
    all.pixels += table->pixels;
    all.labels.insert(all.labels.end(), table->labels.begin(), table->labels.end());
  }
  return all;
}

std::vector<fs::path> cifar_files(const fs::path& folder, bool test) {
  std::vector<fs::path> files;
  std::error_code ignored;  // who opens the folder says why it can't be read
  for (const auto& entry : fs::directory_iterator(folder, ignored)) {
    const std::string name = entry.path().filename().string();
    const bool wanted = test ? name == "test_batch.bin" || name == "test.bin"
                             : is_batch(name) || name == "train.bin";
    if (wanted) files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace ddpm
