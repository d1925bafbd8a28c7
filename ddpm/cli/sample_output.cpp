#include "ddpm/cli/sample_output.h"

#include <fmt/format.h>

#include "ddpm/base/error.h"
#include "ddpm/base/file.h"
#include "ddpm/cli/npy.h"
#include "ddpm/cli/options.h"

namespace ddpm::cli {
namespace fs = std::filesystem;
namespace {

constexpr std::int64_t kMaxGridPixels = std::int64_t{64} << 20;
constexpr int kGap = 2;  // image_grid's

class Grid : public SampleOutput {
 public:
  explicit Grid(const SampleOutputSpec& spec) : spec_(spec) {
    check_output_file(spec.path);
    const std::int64_t pixels =
        spec.count * (spec.shape.h + kGap) * std::int64_t{spec.shape.w + kGap};
    if (pixels > kMaxGridPixels) {
      throw Error(
          "[cli] sample: got {} images of {} x {} for one PNG, expected at most {} pixels; try -o "
          "FOLDER/ or -o FILE.npy",
          spec.count, spec.shape.w, spec.shape.h, kMaxGridPixels);
    }
  }

  void add(std::span<const float> images) override {
    const std::size_t size = spec_.shape.size();
    for (std::size_t i = 0; i < images.size(); i += size) {
      images_.push_back(image_from_floats(images.subspan(i, size), spec_.shape));
    }
  }

  void finish() override {
    grid_ = image_grid(images_, grid_columns(spec_.count), kGap);
    write_png(spec_.path, grid_, spec_.text);
  }

  std::optional<Image> picture() const override { return grid_; }

 private:
  SampleOutputSpec spec_;
  std::vector<Image> images_;
  Image grid_;
};

class Npy : public SampleOutput {
 public:
  explicit Npy(const SampleOutputSpec& spec) {
    check_output_file(spec.path);
    const auto [c, h, w] = spec.shape;
    writer_ =
        std::make_unique<NpyWriter>(spec.path, std::vector<std::int64_t>{spec.count, c, h, w});
  }

  void add(std::span<const float> images) override { writer_->append(images); }
  void finish() override { writer_->finish(); }

 private:
  std::unique_ptr<NpyWriter> writer_;
};

class Folder : public SampleOutput {
 public:
  explicit Folder(const SampleOutputSpec& spec) : spec_(spec), next_(spec.first) {
    make_folders(spec.path);
  }

  void add(std::span<const float> images) override {
    const std::size_t size = spec_.shape.size();
    for (std::size_t i = 0; i < images.size(); i += size) {
      const fs::path path = fs::path(spec_.path) / fmt::format("{:06}.png", next_++);
      write_png(path, image_from_floats(images.subspan(i, size), spec_.shape), spec_.text);
    }
  }

  void finish() override {}

 private:
  SampleOutputSpec spec_;
  std::uint64_t next_;
};

}  // namespace

std::unique_ptr<SampleOutput> make_sample_output(const SampleOutputSpec& spec) {
  const fs::path path = spec.path;
  std::error_code none;
  if (path.filename().empty() || fs::is_directory(path, none))
    return std::make_unique<Folder>(spec);
  if (path.extension() == ".png") return std::make_unique<Grid>(spec);
  if (path.extension() == ".npy") return std::make_unique<Npy>(spec);
  throw Error("[cli] sample: got -o {}, expected FILE.png, FILE.npy or FOLDER/; try -o {}.png",
              spec.path, spec.path);
}

int grid_columns(std::int64_t n) {
  int columns = 1;
  while (std::int64_t{columns} * columns < n) ++columns;
  return columns;
}

}  // namespace ddpm::cli
