#include "ddpm/metrics/image_source.h"

#include <algorithm>
#include <cmath>

#include "ddpm/base/error.h"
#include "ddpm/image/image.h"

namespace ddpm {
namespace {

class DatasetImages : public ImageSource {
 public:
  explicit DatasetImages(std::unique_ptr<Dataset> dataset) : dataset_(std::move(dataset)) {}

  std::int64_t size() const override { return static_cast<std::int64_t>(dataset_->size()); }
  std::string description() const override { return dataset_->description(); }

  std::vector<Planes> load(std::int64_t first, int n) override {
    std::vector<Planes> images;
    std::vector<std::uint8_t> bytes(dataset_->shape().size());
    for (int i = 0; i < n; ++i) {
      dataset_->load(static_cast<std::size_t>(first + i), bytes);
      images.push_back({dataset_->shape(), {bytes.begin(), bytes.end()}});
    }
    return images;
  }

 private:
  std::unique_ptr<Dataset> dataset_;
};

std::string image_count(std::int64_t n, Shape shape, const std::string& name) {
  return fmt::format("{} images of {}x{} in {}", n, shape.w, shape.h, name);
}

// Bytes [N, H, W, C].
class ByteImages : public ImageSource {
 public:
  ByteImages(NpyArray array, Shape shape, const std::string& name)
      : array_(std::move(array)), shape_(shape), name_(name) {}

  std::int64_t size() const override { return array_.shape[0]; }
  std::string description() const override { return image_count(size(), shape_, name_); }

  std::vector<Planes> load(std::int64_t first, int n) override {
    std::vector<Planes> images;
    for (std::int64_t i = first; i < first + n; ++i) {
      const char* from = array_.bytes.data() + static_cast<std::size_t>(i) * shape_.size();
      Planes& image = images.emplace_back(Planes{shape_, std::vector<float>(shape_.size())});
      for (int p = 0; p < shape_.pixels(); ++p) {
        for (int c = 0; c < shape_.c; ++c) {
          image.values[std::size_t{1} * c * shape_.pixels() + p] =
              static_cast<unsigned char>(*from++);
        }
      }
    }
    return images;
  }

 private:
  NpyArray array_;
  Shape shape_;
  std::string name_;
};

// Floats [N, C, H, W].
class FloatImages : public ImageSource {
 public:
  FloatImages(NpyArray array, Shape shape, const std::string& name, bool round)
      : array_(std::move(array)), shape_(shape), name_(name), round_(round) {}

  std::int64_t size() const override { return array_.shape[0]; }
  std::string description() const override { return image_count(size(), shape_, name_); }

  std::vector<Planes> load(std::int64_t first, int n) override {
    std::vector<Planes> images;
    std::vector<float> x(shape_.size());
    for (std::int64_t i = first; i < first + n; ++i) {
      for (std::size_t k = 0; k < x.size(); ++k) {
        x[k] = static_cast<float>(array_.at(static_cast<std::size_t>(i) * x.size() + k));
        if (std::abs(x[k]) <= kFarthest) continue;  // false for NaN
        throw Error(ExitCode::bad_input,
                    "[metrics] {}: image {}: got {}, expected floats in [-1, 1], channels first; "
                    "try bytes [N, H, W, C] for values up to 255",
                    name_, i, x[k]);
      }
      images.push_back(planes_of_sample(x, shape_, round_));
    }
    return images;
  }

 private:
  static constexpr float kFarthest = 8;  // no sample strays so far; pixels of 0..255 do

  NpyArray array_;
  Shape shape_;
  std::string name_;
  bool round_;
};

[[noreturn]] void refuse_array(const NpyArray& array, const std::string& name) {
  std::string axes;
  for (const std::int64_t n : array.shape) axes += fmt::format("{}{}", axes.empty() ? "" : ", ", n);
  throw Error(ExitCode::bad_input,
              "[metrics] {}: got {} [{}], expected features [N, d], images as uint8 [N, H, W] or "
              "[N, H, W, 3] or as float32 [N, C, H, W] with 1 or 3 channels",
              name, to_string(array.type), axes);
}

bool is_side(std::int64_t n) { return n >= 1 && n <= 65'535; }

}  // namespace

std::string_view to_string(Alpha alpha) {
  constexpr std::string_view kNames[] = {"refuse", "white", "drop"};
  return kNames[static_cast<int>(alpha)];
}

Alpha parse_alpha(std::string_view name) {
  for (const Alpha alpha : {Alpha::refuse, Alpha::white, Alpha::drop}) {
    if (name == to_string(alpha)) return alpha;
  }
  throw Error("[metrics] alpha: got {}, expected refuse, white or drop", name);
}

std::unique_ptr<ImageSource> dataset_images(std::unique_ptr<Dataset> dataset) {
  return std::make_unique<DatasetImages>(std::move(dataset));
}

bool is_array_of_images(const NpyArray& array) { return array.shape.size() > 2; }

std::unique_ptr<ImageSource> array_images(NpyArray array, const std::string& name,
                                          const ImageOptions& options) {
  const auto& s = array.shape;
  const bool bytes = array.type == NpyType::u8, gray = s.size() == 3 && bytes;
  if (!gray && s.size() != 4) refuse_array(array, name);
  const std::int64_t c = gray ? 1 : bytes ? s[3] : s[1];
  const std::int64_t h = gray || bytes ? s[1] : s[2], w = gray || bytes ? s[2] : s[3];
  const bool real =
      array.type == NpyType::f16 || array.type == NpyType::f32 || array.type == NpyType::f64;
  if ((c != 1 && c != 3) || !is_side(h) || !is_side(w) || !(bytes || real)) {
    refuse_array(array, name);
  }
  const Shape shape{static_cast<int>(c), static_cast<int>(h), static_cast<int>(w)};
  if (bytes) return std::make_unique<ByteImages>(std::move(array), shape, name);
  return std::make_unique<FloatImages>(std::move(array), shape, name, options.round);
}

Planes planes_of_sample(std::span<const float> x, Shape shape, bool round) {
  DDPM_CHECK(x.size() == shape.size());
  Planes image{shape, std::vector<float>(x.size())};
  for (std::size_t i = 0; i < x.size(); ++i) {
    image.values[i] = round ? float_to_byte(x[i]) : (std::clamp(x[i], -1.0f, 1.0f) + 1) * 127.5f;
  }
  return image;
}

}  // namespace ddpm
