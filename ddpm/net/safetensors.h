// safetensors, read by the strict rules (duplicate names, holes, overlaps, trailing bytes and unknown fields are refused)
// and written byte-compatibly with the reference writer.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "ddpm/base/result.h"

namespace ddpm {

enum class DType { f32, f16, bf16, f64, i64, i32, u8 };  // the ones we read; others are `unsupported`

/// A tensor's raw little-endian bytes.
struct RawTensor {
  DType dtype = DType::f32;
  std::vector<std::int64_t> shape;
  std::string bytes;
};

struct TensorFile {
  std::map<std::string, RawTensor> tensors;
  std::map<std::string, std::string> metadata;
};

Result<TensorFile> parse_safetensors(std::string_view bytes, const std::string& name);
Result<TensorFile> read_safetensors(const std::filesystem::path& path);

/// The file's bytes: dtype descending, then name; compact JSON; header padded to 8 with spaces.
std::string encode_safetensors(const TensorFile& file);

/// f32, f16, bf16 or f64 to float. Throws BugError for integer types.
std::vector<float> to_floats(const RawTensor& tensor);
RawTensor f32_tensor(std::span<const float> values, std::vector<std::int64_t> shape);
/// Rounds to nearest even; values beyond 65504 become infinite.
RawTensor f16_tensor(std::span<const float> values, std::vector<std::int64_t> shape);

}  // namespace ddpm
