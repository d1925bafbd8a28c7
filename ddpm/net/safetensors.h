// safetensors, read by the strict rules (duplicate names, holes, overlaps, trailing bytes and
// unknown fields are refused) and written byte-compatibly with the reference writer.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ddpm/base/result.h"

namespace ddpm {

enum class DType {
  f32,
  f16,
  bf16,
  f64,
  i64,
  i32,
  u8
};  // the ones we read; others are `unsupported`

inline bool is_float(DType type) {
  return type == DType::f32 || type == DType::f16 || type == DType::bf16 || type == DType::f64;
}

/// A tensor's raw little-endian bytes.
struct RawTensor {
  DType dtype = DType::f32;
  std::vector<std::int64_t> shape;
  std::string bytes;

  bool operator==(const RawTensor&) const = default;
};

struct TensorFile {
  std::map<std::string, RawTensor> tensors;
  std::map<std::string, std::string> metadata;

  bool operator==(const TensorFile&) const = default;
};

/// Failures name `name`, the byte or tensor, and the rule. Memory stays near the size of the bytes,
/// whatever they claim.
Result<TensorFile> parse_safetensors(std::string_view bytes, const std::string& name);

/// The same from a regular file of at most 16 GiB; holds each byte once. Failure (io) when it is
/// missing, a directory, a device or shrinks while it is read; never blocks on a pipe.
Result<TensorFile> read_safetensors(const std::filesystem::path& path);

/// The file's bytes: dtype descending, then name; compact JSON; header padded to 8 with spaces.
/// Throws BugError when a tensor's bytes do not fit its shape, or a name is longer than 1 KiB or
/// not UTF-8.
std::string encode_safetensors(const TensorFile& file);

/// f32, f16, bf16 or f64 to float. Throws BugError for integer types.
std::vector<float> to_floats(const RawTensor& tensor);
RawTensor f32_tensor(std::span<const float> values, std::vector<std::int64_t> shape);
/// Rounds to nearest even; values that round beyond 65504 become infinite.
RawTensor f16_tensor(std::span<const float> values, std::vector<std::int64_t> shape);

/// "F32" and so on, and the bytes of one element.
std::string_view to_string(DType dtype);
int bytes_of(DType dtype);

}  // namespace ddpm
