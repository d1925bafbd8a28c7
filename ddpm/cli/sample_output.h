// Where samples go: a PNG grid, an .npy or .npz file, or a folder of PNGs.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "ddpm/cli/sample_state.h"
#include "ddpm/image/png.h"

namespace ddpm::cli {

struct SampleOutputSpec {
  std::string path;  // F.png | F.npy | F.npz | DIR/ (or a folder that exists)
  std::int64_t count = 0;
  std::uint64_t first = 0;  // number of the first image
  Shape shape;
  std::vector<int> labels;  // image i is of class labels[i % labels.size()]; empty: of none
  std::string part;         // of a folder that several processes fill, which part: "2-of-4", or ""
  SampleIdentity identity;  // of an unfinished output
  std::function<PngText()> text;                        // into a grid
  std::function<PngText(std::uint64_t image)> text_of;  // into the PNG of one image
};

class SampleOutput {
 public:
  virtual ~SampleOutput() = default;

  /// How many images an earlier process left here: add() goes on after them.
  virtual std::int64_t done() const { return 0; }

  /// The next images, [n, C, H, W].
  virtual void add(std::span<const float> images) = 0;

  /// What was added so far survives the process. Nothing for a grid, which begins anew.
  virtual void commit() {}

  /// Puts the files in place; before it (but for a folder, image by image) nothing is there.
  virtual void finish() = 0;

  /// What to show on a terminal, after finish().
  virtual std::optional<Image> picture() const { return {}; }
};

/// Throws Error (usage) when the path can't be written, names no known kind, or has other samples
/// that are not finished: before any work is done.
std::unique_ptr<SampleOutput> make_sample_output(const SampleOutputSpec& spec);

/// The class of image i.
std::optional<int> label_of(const std::vector<int>& labels, std::uint64_t image);

/// Images first, first + 1, ...: in ceil(sqrt(n)) columns; of several classes, each in a row of its
/// own.
Image grid_of_samples(std::span<const Image> images, std::uint64_t first,
                      const std::vector<int>& labels);

}  // namespace ddpm::cli
