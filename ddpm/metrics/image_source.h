// Images to be scored, wherever they come from, by number.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ddpm/base/thread_pool.h"
#include "ddpm/data/dataset.h"
#include "ddpm/data/npy.h"

namespace ddpm {

/// One image: values [C, H, W] in [0, 255], C 1 or 3; whole numbers unless never rounded.
struct Planes {
  Shape shape;
  std::vector<float> values;
};

/// What to do with an image that is not opaque. torch-fidelity, pytorch-fid and clean-fid drop the
/// channel, whatever colour lies under it.
enum class Alpha { refuse, white, drop };

std::string_view to_string(Alpha alpha);
/// Throws Error (usage) for another name.
Alpha parse_alpha(std::string_view name);

/// All images have one shape: features of mixed sizes are no sample of one distribution.
class ImageSource {
 public:
  virtual ~ImageSource() = default;

  virtual std::int64_t size() const = 0;
  /// One line: what it is and where it lies.
  virtual std::string description() const = 0;
  /// Images first .. first + n - 1. Throws Error (bad_input), naming the image that is broken or of
  /// another shape than image 0.
  virtual std::vector<Planes> load(std::int64_t first, int n) = 0;
};

struct ImageOptions {
  Alpha alpha = Alpha::refuse;
  bool round = true;  // float images (arrays, samples of a model) become bytes first
};

/// IDX, CIFAR: what open_dataset() gave.
std::unique_ptr<ImageSource> dataset_images(std::unique_ptr<Dataset> dataset);

/// PNGs of a folder, in the order of their paths. `pool` decodes and must outlive it.
std::unique_ptr<ImageSource> folder_images(const std::filesystem::path& folder,
                                           const ImageOptions& options, ThreadPool& pool);

/// PNGs of a ZIP archive, in the order of their names.
std::unique_ptr<ImageSource> zip_images(const std::filesystem::path& path,
                                        const ImageOptions& options, ThreadPool& pool);

/// Bytes [N, H, W] or [N, H, W, C] (C 1 or 3), or floats [N, C, H, W] in [-1, 1] as `ddpm sample`
/// writes them. Throws Error (bad_input) for other arrays and for values that are not finite.
std::unique_ptr<ImageSource> array_images(NpyArray array, const std::string& name,
                                          const ImageOptions& options);
/// Whether array_images() is meant: three axes or more.
bool is_array_of_images(const NpyArray& array);

/// x in [-1, 1], clipped, to [0, 255]; rounded as PNGs of samples are, or not.
Planes planes_of_sample(std::span<const float> x, Shape shape, bool round);

}  // namespace ddpm
