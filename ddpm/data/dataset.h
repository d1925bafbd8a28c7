// Data sets as numbered images of one shape.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "ddpm/base/shape.h"

namespace ddpm {

class Dataset {
 public:
  virtual ~Dataset() = default;

  virtual Shape shape() const = 0;
  virtual std::size_t size() const = 0;

  /// Image i as bytes 0..255, planar [C, H, W]. out.size() == shape().size(). Throws Error
  /// (bad_input) when image i can't be decoded, naming it. Safe to call from several threads.
  virtual void load(std::size_t i, std::span<std::uint8_t> out) const = 0;

  /// The class of image i; none when the data set has no labels.
  virtual std::optional<int> label(std::size_t i) const = 0;

  /// Names of the classes, in the order of their numbers; empty without labels.
  virtual std::vector<std::string> classes() const = 0;

  /// One line: what it is and where it lies.
  virtual std::string description() const = 0;
};

struct DatasetOptions {
  /// Wanted shape; 0 keeps what the data set has (for a folder: of its first image). Images of a
  /// folder are centre-cropped to the wanted aspect ratio, resized (Lanczos) and converted to
  /// `channels`. IDX and CIFAR files are fixed: another wanted shape is an Error.
  int width = 0, height = 0, channels = 0;
};

/// Opens DATA, which is one of:
///  - an IDX file of images (ubyte, [N, H, W]), plain or .gz; labels from the neighbour with
///  `-labels-idx1-`;
///  - `fashion-mnist:train` or `fashion-mnist:test`: Debian's package dataset-fashion-mnist;
///  - CIFAR-10/100 binary: a .bin file or a folder of data_batch_*.bin (train) / `FOLDER:test`
///  (test_batch.bin, test.bin);
///  - a folder of PNGs, searched recursively, sorted by path; sub-folders of the first level are
///  classes.
/// Throws Error (bad_input) that says what was looked for and where.
std::unique_ptr<Dataset> open_dataset(const std::string& data, const DatasetOptions& options = {});

/// x / 127.5 - 1.
void bytes_to_floats(std::span<const std::uint8_t> bytes, std::span<float> out);

}  // namespace ddpm
