// .npy files written as they come, so that any number of values fits.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <vector>

#include "ddpm/cli/part_file.h"

namespace ddpm::cli {

/// The bytes of float values, as files have them.
std::string_view bytes_of(std::span<const float> values);

/// A float32 array of this shape; without finish() nothing is left. Throws Error as PartFile does.
class NpyWriter {
 public:
  NpyWriter(const std::filesystem::path& path, const std::vector<std::int64_t>& shape);

  void append(std::span<const float> values);

  /// Throws BugError unless exactly the shape's number of values was appended.
  void finish();

 private:
  PartFile file_;
  std::uint64_t left_ = 1;  // values still to come
};

}  // namespace ddpm::cli
