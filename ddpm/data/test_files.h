// For tests: the bytes of small data sets.
#pragma once

#include <zlib.h>

#include <cstdint>
#include <string>
#include <vector>

#include "ddpm/base/error.h"
#include "ddpm/data/dataset.h"

namespace ddpm {

inline std::string be32(std::uint32_t value) {
  std::string bytes;
  for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(value >> shift & 255);
  return bytes;
}

/// An IDX file of unsigned bytes.
inline std::string idx_bytes(const std::vector<std::uint32_t>& dims, const std::string& values) {
  std::string bytes = be32(0x0800 | static_cast<std::uint32_t>(dims.size()));
  for (const std::uint32_t dim : dims) bytes += be32(dim);
  return bytes + values;
}

/// 0, 1, 2, ... modulo 256.
inline std::string ramp(std::size_t count) {
  std::string bytes;
  for (std::size_t i = 0; i < count; ++i) bytes += static_cast<char>(i);
  return bytes;
}

inline std::string gzip(const std::string& bytes) {
  z_stream stream{};
  DDPM_CHECK(::deflateInit2(&stream, 9, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY) == Z_OK);
  std::string out(::deflateBound(&stream, bytes.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  DDPM_CHECK(::deflate(&stream, Z_FINISH) == Z_STREAM_END);
  out.resize(stream.total_out);
  ::deflateEnd(&stream);
  return out;
}

/// A CIFAR record: the label bytes and 3072 pixels of `value`.
inline std::string cifar_record(const std::string& labels, char value) {
  return labels + std::string(3072, value);
}

/// The bytes of one image.
inline std::vector<std::uint8_t> loaded(const Dataset& data, std::size_t i) {
  std::vector<std::uint8_t> bytes(data.shape().size());
  data.load(i, bytes);
  return bytes;
}

}  // namespace ddpm
