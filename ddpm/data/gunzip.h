// Reads a gzip file (RFC 1952) piece by piece, so that nobody inflates more than was asked for.
#pragma once

#include <zlib.h>

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "ddpm/base/result.h"

namespace ddpm {

bool is_gzip(std::string_view bytes);

/// The inflated bytes of one gzip member. Both views must outlive it.
class Gunzip {
 public:
  Gunzip(std::string_view bytes, const std::string& name);
  ~Gunzip();
  Gunzip(const Gunzip&) = delete;
  Gunzip& operator=(const Gunzip&) = delete;

  /// Fills `out` as far as the stream reaches; how many bytes came. Fewer than asked means that the
  /// stream ended, either properly (finished()) or cut short. Failure (corrupt): not deflate data,
  /// or a wrong checksum.
  Result<std::size_t> read(std::span<char> out);

  /// The end was seen, checksum and length agreed.
  bool finished() const { return finished_; }
  /// Bytes of the file after the end of the stream.
  std::size_t left_over() const { return bytes_.size() + stream_.avail_in; }

 private:
  std::string_view bytes_;  // not yet handed to zlib
  const std::string& name_;
  z_stream stream_{};
  bool finished_ = false;
};

}  // namespace ddpm
