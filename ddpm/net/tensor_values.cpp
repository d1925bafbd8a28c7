// What the elements of a RawTensor are worth.
#include <bit>
#include <cmath>
#include <cstring>

#include "ddpm/net/safetensors.h"
#include "ddpm/net/safetensors_header.h"

namespace ddpm {
namespace {

float from_half(std::uint16_t half) {
  const std::uint32_t sign = (half & 0x8000u) << 16;
  const std::uint32_t rest = half & 0x7fffu;
  if (rest >= 0x7c00) return std::bit_cast<float>(sign | 0x7f800000 | (rest & 0x3ffu) << 13);
  if (rest >= 0x0400) return std::bit_cast<float>(sign | ((rest << 13) + ((127u - 15) << 23)));
  const float tiny = static_cast<float>(rest) * 0x1p-24f;  // exact
  return sign != 0 ? -tiny : tiny;
}

std::uint16_t to_half(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t sign = bits >> 16 & 0x8000u, size = bits & 0x7fffffffu;
  std::uint32_t half = 0;
  if (size > 0x7f800000) {
    half = 0x7e00;  // NaN
  } else if (size >= 0x477ff000) {
    half = 0x7c00;  // 65520, half-way to 65536, is the first that rounds to infinity
  } else if (size >= 0x38800000) {
    const std::uint32_t rebiased = size - ((127u - 15) << 23);
    half = (rebiased + 0xfff + (rebiased >> 13 & 1)) >> 13;
  } else {
    half =
        static_cast<std::uint32_t>(std::rint(std::bit_cast<float>(size) * 0x1p24f));  // below 2^-14
  }
  return static_cast<std::uint16_t>(sign | half);
}

float from_bfloat(std::uint16_t bits) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16);
}

template <class T, class Convert>
std::vector<float> convert(const std::string& bytes, Convert to_float) {
  std::vector<float> values(bytes.size() / sizeof(T));
  for (std::size_t i = 0; i < values.size(); ++i) {
    T element;
    std::memcpy(&element, bytes.data() + i * sizeof(T), sizeof(T));
    values[i] = to_float(element);
  }
  return values;
}

template <class T>
std::string bytes_from(std::span<const T> values) {
  std::string bytes(values.size_bytes(), '\0');
  std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

RawTensor make_tensor(DType dtype, std::vector<std::int64_t> shape, std::string bytes) {
  DDPM_CHECK(tensor_bytes(dtype, shape) == bytes.size(), "{} bytes", bytes.size());
  return {dtype, std::move(shape), std::move(bytes)};
}

}  // namespace

std::string_view to_string(DType dtype) {
  constexpr std::string_view kNames[] = {"F32", "F16", "BF16", "F64", "I64", "I32", "U8"};
  return kNames[static_cast<int>(dtype)];
}

int bytes_of(DType dtype) {
  constexpr int kBytes[] = {4, 2, 2, 8, 8, 4, 1};
  return kBytes[static_cast<int>(dtype)];
}

std::vector<float> to_floats(const RawTensor& tensor) {
  switch (tensor.dtype) {
    case DType::f32:
      return convert<float>(tensor.bytes, [](float x) { return x; });
    case DType::f16:
      return convert<std::uint16_t>(tensor.bytes, from_half);
    case DType::bf16:
      return convert<std::uint16_t>(tensor.bytes, from_bfloat);
    case DType::f64:
      return convert<double>(tensor.bytes, [](double x) { return static_cast<float>(x); });
    default:
      DDPM_CHECK(false, "to_floats of {}", to_string(tensor.dtype));
      return {};
  }
}

RawTensor f32_tensor(std::span<const float> values, std::vector<std::int64_t> shape) {
  return make_tensor(DType::f32, std::move(shape), bytes_from(values));
}

RawTensor f16_tensor(std::span<const float> values, std::vector<std::int64_t> shape) {
  std::vector<std::uint16_t> halves(values.size());
  for (std::size_t i = 0; i < values.size(); ++i) halves[i] = to_half(values[i]);
  return make_tensor(DType::f16, std::move(shape), bytes_from<std::uint16_t>(halves));
}

}  // namespace ddpm
