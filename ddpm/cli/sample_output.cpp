#include "ddpm/cli/sample_output.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <string_view>

#include "ddpm/base/error.h"
#include "ddpm/base/file.h"
#include "ddpm/cli/options.h"
#include "ddpm/cli/sample_stream.h"

namespace ddpm::cli {
namespace fs = std::filesystem;
namespace {

constexpr std::int64_t kMaxGridPixels = std::int64_t{64} << 20;
constexpr int kGap = 2;  // image_grid's

// Whole for readers and when the process is killed. A power cut may lose it until sync_all(): many
// small files would take longer to sync one by one than to draw.
void replace_soon(const fs::path& path, std::string_view bytes) {
  fs::path temporary = path;
  temporary += fmt::format(".tmp-{}", getpid());
  std::ofstream file(temporary, std::ios::binary);
  file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  file.close();
  if (!file) {
    std::error_code none;
    fs::remove(temporary, none);
    throw Error(ExitCode::resources, "[cli] write {} ({} bytes): failed; try another disk",
                path.string(), bytes.size());
  }
  rename_path(temporary, path);
}

void sync_all(const fs::path& folder) {
  const int fd = open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const bool synced = fd >= 0 && syncfs(fd) == 0;
  if (fd >= 0) close(fd);
  if (!synced) throw Error(ExitCode::resources, "[cli] sync {}: failed", folder.string());
}

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
    std::ranges::move(images_from_floats(images, spec_.shape), std::back_inserter(images_));
  }

  void finish() override {
    grid_ = grid_of_samples(images_, spec_.first, spec_.labels);
    write_png(spec_.path, grid_, spec_.text());
  }

  std::optional<Image> picture() const override { return grid_; }

 private:
  SampleOutputSpec spec_;
  std::vector<Image> images_;
  Image grid_;
};

// A PNG says nothing of the other images, so that it has the same bytes however many there are and
// whoever draws them.
class Folder : public SampleOutput {
 public:
  explicit Folder(const SampleOutputSpec& spec) : spec_(spec) {
    make_folders(spec.path);
    const std::string part = spec.part.empty() ? "" : "-" + spec.part;
    state_file_ = fs::path(spec.path) / fmt::format(".ddpm-sample{}.json", part);
    const auto state = read_sample_state(state_file_, spec.identity);
    if (!state) return;
    done_ = std::min(state->done, spec.count);
    remove_halves();
  }

  std::int64_t done() const override { return done_; }

  void add(std::span<const float> images) override {
    const std::size_t size = spec_.shape.size();
    for (std::size_t i = 0; i < images.size(); i += size) {
      const std::uint64_t image = spec_.first + static_cast<std::uint64_t>(done_++);
      const fs::path path = fs::path(spec_.path) / fmt::format("{:06}.png", image);
      const Image pixels = image_from_floats(images.subspan(i, size), spec_.shape);
      replace_soon(path, encode_png(pixels, spec_.text_of(image)));
    }
  }

  void commit() override {
    sync_all(spec_.path);
    write_sample_state(state_file_, spec_.identity, {done_, 0});
  }

  void finish() override {
    sync_all(spec_.path);
    std::error_code none;
    fs::remove(state_file_, none);
  }

 private:
  // What the killed process had begun to write: NNNNNN.png.tmp-PID, of our images alone.
  void remove_halves() const {
    for (const auto& entry : fs::directory_iterator(spec_.path)) {
      const std::string name = entry.path().filename().string();
      std::uint64_t image = 0;
      const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), image);
      const bool half = error == std::errc() && std::string_view(end).starts_with(".png.tmp-");
      const bool ours =
          image >= spec_.first && image - spec_.first < static_cast<std::uint64_t>(spec_.count);
      std::error_code none;
      if (half && ours) fs::remove(entry.path(), none);
    }
  }

  SampleOutputSpec spec_;
  fs::path state_file_;
  std::int64_t done_ = 0;
};

}  // namespace

std::unique_ptr<SampleOutput> make_sample_output(const SampleOutputSpec& spec) {
  const fs::path path = spec.path;
  std::error_code none;
  if (path.filename().empty() || fs::is_directory(path, none))
    return std::make_unique<Folder>(spec);
  if (path.extension() == ".png") return std::make_unique<Grid>(spec);
  if (path.extension() == ".npy") return make_npy_output(spec);
  if (path.extension() == ".npz") return make_npz_output(spec);
  throw Error(
      "[cli] sample: got -o {}, expected FILE.png, FILE.npy, FILE.npz or FOLDER/; try -o {}.png",
      spec.path, spec.path);
}

std::optional<int> label_of(const std::vector<int>& labels, std::uint64_t image) {
  if (labels.empty()) return {};
  return labels[image % labels.size()];
}

Image grid_of_samples(std::span<const Image> images, std::uint64_t first,
                      const std::vector<int>& labels) {
  DDPM_CHECK(!images.empty());
  if (labels.size() < 2) return image_grid(images, grid_columns(images.size()), kGap);
  const std::size_t rows = labels.size(), columns = (images.size() + rows - 1) / rows;
  const Image& one = images.front();
  std::vector<Image> cells(rows * columns, blank_image(one.width, one.height, one.channels, 255));
  for (std::size_t i = 0; i < images.size(); ++i) {
    cells[(first + i) % rows * columns + i / rows] = images[i];
  }
  return image_grid(cells, static_cast<int>(columns), kGap);
}

}  // namespace ddpm::cli
