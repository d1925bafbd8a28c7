#include "ddpm/data/dataset.h"

#include <array>
#include <string_view>
#include <system_error>

#include "ddpm/base/error.h"
#include "ddpm/data/cifar.h"
#include "ddpm/data/class_names.h"
#include "ddpm/data/folder.h"
#include "ddpm/data/idx_dataset.h"
#include "ddpm/image/image.h"

namespace ddpm {
namespace {

namespace fs = std::filesystem;

constexpr const char* kFashionFolder = "/usr/share/datasets/fashion-mnist";
constexpr std::string_view kFashion = "fashion-mnist";

using DatasetPtr = std::unique_ptr<Dataset>;

DatasetPtr open_fashion(std::string_view split, const DatasetOptions& options) {
  if (split != ":train" && split != ":test") {
    throw Error(ExitCode::bad_input,
                "[data] {}{}: expected fashion-mnist:train or fashion-mnist:test", kFashion, split);
  }
  const fs::path images =
      fs::path(kFashionFolder) /
      (split == ":train" ? "train-images-idx3-ubyte.gz" : "t10k-images-idx3-ubyte.gz");
  std::error_code unknown;
  if (!fs::exists(images, unknown)) {
    throw Error(ExitCode::bad_input,
                "[data] {}{}: no {}; try `apt-get install dataset-fashion-mnist`", kFashion, split,
                images.string());
  }
  ImageTable table = value_or_throw(read_idx_images(images));
  if (!table.labels.empty()) {
    if (table.classes.size() > 10) {
      throw Error(ExitCode::bad_input, "[data] {}{}: got label {}, expected 0..9", kFashion, split,
                  table.classes.size() - 1);
    }
    table.classes = fashion_mnist_classes();
  }
  table.description = fmt::format("Fashion-MNIST ({}), {}", split.substr(1), images.string());
  return memory_dataset(std::move(table), options);
}

DatasetPtr open_cifar(const std::vector<fs::path>& files, const std::string& data,
                      const DatasetOptions& options) {
  ImageTable table = value_or_throw(read_cifar(files));
  table.description = fmt::format("CIFAR-{}, {} file{} of {}", table.classes.size(), files.size(),
                                  files.size() == 1 ? "" : "s", data);
  return memory_dataset(std::move(table), options);
}

// A folder that was meant to name a file or a split in it.
void refuse_folder_of_files(const fs::path& folder) {
  if (!cifar_files(folder, true).empty()) {
    throw Error(ExitCode::bad_input, "[data] {}: got only CIFAR's test images; try {}:test",
                folder.string(), folder.string());
  }
  std::error_code unreadable;  // list_folder says why
  for (const auto& entry : fs::directory_iterator(folder, unreadable)) {
    if (entry.path().filename().string().find("-images-idx3-") != std::string::npos) {
      throw Error(ExitCode::bad_input,
                  "[data] {}: got a folder of IDX files, expected one of them; try {}",
                  folder.string(), entry.path().string());
    }
  }
}

DatasetPtr open_directory(const fs::path& folder, const DatasetOptions& options) {
  const auto files = cifar_files(folder, false);
  if (!files.empty()) return open_cifar(files, folder.string(), options);
  refuse_folder_of_files(folder);
  return open_folder(folder, options);
}

DatasetPtr open_file(const fs::path& file, const DatasetOptions& options) {
  if (file.extension() == ".bin") return open_cifar({file}, file.string(), options);
  if (file.extension() == ".png" || file.extension() == ".PNG") {
    throw Error(ExitCode::bad_input,
                "[data] {}: got one image, expected a data set; try its folder", file.string());
  }
  return memory_dataset(value_or_throw(read_idx_images(file)), options);
}

// FOLDER:test and FOLDER:train; none when `data` is not of that form.
DatasetPtr open_split(const std::string& data, const DatasetOptions& options) {
  for (const std::string_view split : {":test", ":train"}) {
    if (!data.ends_with(split)) continue;
    const fs::path folder = data.substr(0, data.size() - split.size());
    std::error_code unknown;
    if (!fs::is_directory(folder, unknown)) continue;
    const auto files = cifar_files(folder, split == ":test");
    if (!files.empty()) return open_cifar(files, data, options);
    throw Error(ExitCode::bad_input, "[data] {}: no {} in {}", data,
                split == ":test" ? "test_batch.bin or test.bin" : "data_batch_*.bin or train.bin",
                folder.string());
  }
  return nullptr;
}

void check_options(const DatasetOptions& o) {
  const auto side = [](int n) { return n >= 0 && n <= 65'535; };
  if (!side(o.width) || !side(o.height) || o.channels < 0 || o.channels > 4) {
    throw Error(
        "[data] shape: got width {}, height {}, channels {}, expected sides of 1..65535 and 1..4 "
        "channels, or 0 for what the data set has",
        o.width, o.height, o.channels);
  }
}

}  // namespace

DatasetPtr open_dataset(const std::string& data, const DatasetOptions& options) {
  check_options(options);
  std::error_code error;
  const fs::file_status status = fs::status(data, error);
  if (fs::is_directory(status)) return open_directory(data, options);
  if (fs::exists(status)) return open_file(data, options);
  if (data.starts_with(kFashion)) return open_fashion(data.substr(kFashion.size()), options);
  if (auto split = open_split(data, options)) return split;
  throw Error(ExitCode::bad_input,
              "[data] {}: {}; expected an IDX file, a CIFAR folder or .bin file, a "
              "folder of PNGs, fashion-mnist:train or fashion-mnist:test",
              data, error ? error.message() : "No such file or directory");
}

void bytes_to_floats(std::span<const std::uint8_t> bytes, std::span<float> out) {
  DDPM_CHECK(bytes.size() == out.size(), "{} of {}", bytes.size(), out.size());
  static const std::array<float, 256> kTable = [] {
    std::array<float, 256> table{};
    for (int i = 0; i < 256; ++i) table[i] = byte_to_float(static_cast<std::uint8_t>(i));
    return table;
  }();
  for (std::size_t i = 0; i < bytes.size(); ++i) out[i] = kTable[bytes[i]];
}

}  // namespace ddpm
