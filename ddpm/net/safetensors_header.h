// The JSON header of a safetensors file: every rule that can be checked without the data.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ddpm/net/safetensors.h"

namespace ddpm {

/// A tensor's place: bytes [begin, end) of the data that follows the header.
struct TensorPlace {
  std::string name;
  DType dtype = DType::f32;
  std::vector<std::int64_t> shape;
  std::uint64_t begin = 0, end = 0;
};

struct TensorHeader {
  std::vector<TensorPlace> places;  // in the order of the data, which they cover without a hole
  std::map<std::string, std::string> metadata;
};

inline constexpr std::size_t kMaxTensorName = 1024;

/// The header's length from the first 8 bytes (or fewer, then a failure) of a file of `file_size`
/// bytes.
Result<std::uint64_t> header_length(std::string_view first_bytes, std::uint64_t file_size,
                                    const std::string& name);

/// `json` is the header, `data_size` what follows it in the file.
Result<TensorHeader> parse_tensor_header(std::string_view json, std::uint64_t data_size,
                                         const std::string& name);

/// Bytes of a tensor; none when they do not fit 64 bits.
std::optional<std::uint64_t> tensor_bytes(DType dtype, const std::vector<std::int64_t>& shape);

}  // namespace ddpm
