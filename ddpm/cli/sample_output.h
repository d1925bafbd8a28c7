// Where samples go: a PNG grid, an .npy file, or a folder of PNGs.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "ddpm/image/png.h"

namespace ddpm::cli {

struct SampleOutputSpec {
  std::string path;  // F.png | F.npy | DIR/ (or a folder that exists)
  std::int64_t count = 0;
  std::uint64_t first = 0;  // number of the first image
  Shape shape;
  PngText text;  // into every PNG
};

class SampleOutput {
 public:
  virtual ~SampleOutput() = default;

  /// The next images, [n, C, H, W].
  virtual void add(std::span<const float> images) = 0;

  /// Puts the files in place; before it (but for a folder, image by image) nothing is there.
  virtual void finish() = 0;

  /// What to show on a terminal, after finish().
  virtual std::optional<Image> picture() const { return {}; }
};

/// Throws Error (usage) when the path can't be written or names no known kind, before any work is
/// done.
std::unique_ptr<SampleOutput> make_sample_output(const SampleOutputSpec& spec);

/// The smallest number of columns that makes a grid no taller than wide: ceil(sqrt(n)).
int grid_columns(std::int64_t n);

}  // namespace ddpm::cli
