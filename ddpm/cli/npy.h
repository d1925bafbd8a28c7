// .npy files (NumPy format 1.0) written as they come, so that any number of samples fits.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace ddpm::cli {

/// The header of a C-order little-endian float32 array; its length is a multiple of 64.
std::string npy_header(const std::vector<std::int64_t>& shape);

/// Writes PATH.tmp-<pid>; finish() makes it PATH, durably. Without finish() nothing is left.
class NpyWriter {
 public:
  /// Throws Error (resources), as all of them do.
  NpyWriter(std::filesystem::path path, const std::vector<std::int64_t>& shape);
  ~NpyWriter();
  NpyWriter(const NpyWriter&) = delete;
  NpyWriter& operator=(const NpyWriter&) = delete;

  void append(std::span<const float> values);

  /// Throws BugError unless exactly the shape's number of values was appended.
  void finish();

 private:
  void write(const char* bytes, std::size_t size);

  std::filesystem::path path_, temporary_;
  std::uint64_t left_;  // values still to come
  int fd_ = -1;
};

}  // namespace ddpm::cli
