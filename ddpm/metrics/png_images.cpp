// PNGs in folders and archives as sources of images.
#include <algorithm>
#include <optional>

#include "ddpm/base/error.h"
#include "ddpm/base/file.h"
#include "ddpm/base/zip.h"
#include "ddpm/data/folder.h"
#include "ddpm/image/png.h"
#include "ddpm/image/resize_float.h"
#include "ddpm/metrics/image_source.h"

namespace ddpm {
namespace {

bool is_opaque(const Image& image) {
  for (std::size_t i = image.channels - 1; i < image.pixels.size(); i += image.channels) {
    if (image.pixels[i] != 255) return false;
  }
  return true;
}

Image without_last_channel(const Image& image) {
  Image out = blank_image(image.width, image.height, image.channels - 1);
  for (std::size_t p = 0, pixels = out.pixels.size() / out.channels; p < pixels; ++p) {
    std::copy_n(image.pixels.begin() + static_cast<std::ptrdiff_t>(p) * image.channels,
                out.channels, out.pixels.begin() + static_cast<std::ptrdiff_t>(p) * out.channels);
  }
  return out;
}

Image without_alpha(const Image& image, Alpha alpha, const std::string& name) {
  if (image.channels == 1 || image.channels == 3) return image;
  if (alpha == Alpha::drop || is_opaque(image)) return without_last_channel(image);
  if (alpha == Alpha::white) return with_channels(image, image.channels - 1);
  throw Error(
      ExitCode::bad_input,
      "[metrics] {}: got an image with transparent pixels, expected opaque ones; try --alpha "
      "white (laid over white) or --alpha drop (as torch-fidelity and pytorch-fid do)",
      name);
}

// Decodes what `bytes_of` gives for each number, all at once.
class PngImages : public ImageSource {
 public:
  PngImages(const ImageOptions& options, ThreadPool& pool) : alpha_(options.alpha), pool_(pool) {}

  std::vector<Planes> load(std::int64_t first, int n) override {
    std::vector<std::optional<Result<Image>>> decoded(n);
    pool_.run(n, [&](int i, int) { decoded[i] = decode(first + i); });
    std::vector<Planes> images;
    for (int i = 0; i < n; ++i) {
      const std::string name = name_of(first + i);
      const Image image = without_alpha(value_or_throw(std::move(*decoded[i])), alpha_, name);
      images.push_back({{image.channels, image.height, image.width}, byte_planes(image)});
      check_size(images.back().shape, name);
    }
    return images;
  }

 protected:
  virtual std::string name_of(std::int64_t i) const = 0;
  virtual Result<Image> decode(std::int64_t i) const = 0;

 private:
  void check_size(Shape shape, const std::string& name) {
    if (!size_) {
      size_ = shape;
      size_of_ = name;
    }
    if (shape.h == size_->h && shape.w == size_->w) return;
    throw Error(
        ExitCode::bad_input,
        "[metrics] {}: got {}x{}, expected {}x{} as {} has; try to crop or resize all images "
        "to one size, in the way that the task wants",
        name, shape.w, shape.h, size_->w, size_->h, size_of_);
  }

  Alpha alpha_;
  ThreadPool& pool_;
  std::optional<Shape> size_;
  std::string size_of_;
};

class FolderImages : public PngImages {
 public:
  FolderImages(const std::filesystem::path& folder, const ImageOptions& options, ThreadPool& pool)
      : PngImages(options, pool), folder_(folder), files_(list_folder(folder).files) {}

  std::int64_t size() const override { return std::ssize(files_); }
  std::string description() const override {
    return fmt::format("{} PNG files in {}", size(), folder_.string());
  }

 protected:
  std::string name_of(std::int64_t i) const override { return files_[i].string(); }
  Result<Image> decode(std::int64_t i) const override { return read_png(files_[i]); }

 private:
  std::filesystem::path folder_;
  std::vector<std::filesystem::path> files_;
};

class ZipImages : public PngImages {
 public:
  ZipImages(const std::filesystem::path& path, const ImageOptions& options, ThreadPool& pool)
      : PngImages(options, pool),
        path_(path.string()),
        bytes_(value_or_throw(read_file(path))),
        entries_(value_or_throw(list_zip(bytes_, path_))) {
    std::erase_if(entries_, [](const ZipEntry& e) { return !is_png(e.name); });
    std::ranges::sort(entries_, {}, &ZipEntry::name);
    if (entries_.empty()) {
      throw Error(
          ExitCode::bad_input,
          "[metrics] {}: got an archive without PNG files, expected at least one; try a .zip of "
          "PNGs, or a folder",
          path_);
    }
  }

  std::int64_t size() const override { return std::ssize(entries_); }
  std::string description() const override {
    return fmt::format("{} PNG files in {}", size(), path_);
  }

 protected:
  std::string name_of(std::int64_t i) const override { return path_ + "/" + entries_[i].name; }
  Result<Image> decode(std::int64_t i) const override {
    if (entries_[i].size > kMaxPngBytes) {
      return fail(FailureCode::unsupported, "[metrics] {}: got {} bytes, expected at most {}",
                  name_of(i), entries_[i].size, kMaxPngBytes);
    }
    const auto content = read_zip_entry(bytes_, entries_[i], path_);
    if (!content) return tl::unexpected(content.error());
    return decode_png(*content, name_of(i));
  }

 private:
  // Hidden files are notes of the program that packed it (__MACOSX/._1.png).
  static bool is_png(std::string_view name) {
    const std::string_view last = name.substr(name.rfind('/') + 1);
    return !last.starts_with('.') && (last.ends_with(".png") || last.ends_with(".PNG"));
  }

  std::string path_, bytes_;
  std::vector<ZipEntry> entries_;
};

}  // namespace

std::unique_ptr<ImageSource> folder_images(const std::filesystem::path& folder,
                                           const ImageOptions& options, ThreadPool& pool) {
  return std::make_unique<FolderImages>(folder, options, pool);
}

std::unique_ptr<ImageSource> zip_images(const std::filesystem::path& path,
                                        const ImageOptions& options, ThreadPool& pool) {
  return std::make_unique<ZipImages>(path, options, pool);
}

}  // namespace ddpm
