#include "ddpm/data/folder.h"

#include <utility>

#include "ddpm/base/error.h"
#include "ddpm/image/png.h"
#include "ddpm/image/resize.h"

namespace ddpm {
namespace {

namespace fs = std::filesystem;

// Channels before size: the resize then works on no more than is needed.
Image fitted(const Image& image, Shape shape) {
  const Image cropped = with_channels(centre_crop(image, shape.w, shape.h), shape.c);
  return resize(cropped, shape.w, shape.h, Filter::lanczos);
}

void to_planar(const Image& image, std::span<std::uint8_t> out) {
  const std::size_t pixels = out.size() / image.channels;
  for (int c = 0; c < image.channels; ++c) {
    for (std::size_t i = 0; i < pixels; ++i) {
      out[c * pixels + i] = image.pixels[i * image.channels + c];
    }
  }
}

class FolderDataset : public Dataset {
 public:
  FolderDataset(const fs::path& folder, FolderListing listing, Shape shape)
      : folder_(folder), listing_(std::move(listing)), shape_(shape) {}

  Shape shape() const override { return shape_; }
  std::size_t size() const override { return listing_.files.size(); }

  void load(std::size_t i, std::span<std::uint8_t> out) const override {
    DDPM_CHECK(i < size() && out.size() == shape_.size(), "{} of {}", i, size());
    to_planar(fitted(value_or_throw(read_png(listing_.files[i])), shape_), out);
  }

  std::optional<int> label(std::size_t i) const override {
    DDPM_CHECK(i < size(), "{} of {}", i, size());
    if (listing_.labels.empty()) return std::nullopt;
    return listing_.labels[i];
  }

  std::vector<std::string> classes() const override { return listing_.classes; }

  std::string description() const override {
    return fmt::format("{} PNG files in {}", size(), folder_.string());
  }

 private:
  fs::path folder_;
  FolderListing listing_;
  Shape shape_;
};

Shape wanted_shape(const DatasetOptions& o, const fs::path& first) {
  if (o.channels != 0 && o.height != 0 && o.width != 0) return {o.channels, o.height, o.width};
  const Image image = value_or_throw(read_png(first));
  return {o.channels != 0 ? o.channels : image.channels, o.height != 0 ? o.height : image.height,
          o.width != 0 ? o.width : image.width};
}

}  // namespace

std::unique_ptr<Dataset> open_folder(const fs::path& folder, const DatasetOptions& options) {
  FolderListing listing = list_folder(folder);
  const Shape shape = wanted_shape(options, listing.files.front());
  return std::make_unique<FolderDataset>(folder, std::move(listing), shape);
}

}  // namespace ddpm
