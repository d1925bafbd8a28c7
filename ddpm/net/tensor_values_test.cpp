#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "ddpm/net/safetensors.h"

namespace ddpm {
namespace {

using testing::ElementsAre;

template <class T>
RawTensor raw(DType dtype, const std::vector<T>& values) {
  std::string bytes(values.size() * sizeof(T), '\0');
  std::memcpy(bytes.data(), values.data(), bytes.size());
  return {dtype, {static_cast<std::int64_t>(values.size())}, bytes};
}

std::vector<std::uint16_t> halves(const std::vector<float>& values) {
  const RawTensor tensor = f16_tensor(values, {static_cast<std::int64_t>(values.size())});
  std::vector<std::uint16_t> bits(values.size());
  std::memcpy(bits.data(), tensor.bytes.data(), tensor.bytes.size());
  return bits;
}

float value_of(std::uint16_t half) { return to_floats(raw<std::uint16_t>(DType::f16, {half}))[0]; }

// By the definition of binary16, in double.
TEST(TensorValues, EveryHalfHasItsValueAndComesBack) {
  for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
    const auto half = static_cast<std::uint16_t>(bits);
    const int exponent = half >> 10 & 31, fraction = half & 1023;
    const double size = exponent == 0    ? std::ldexp(fraction, -24)
                        : exponent == 31 ? std::numeric_limits<double>::infinity()
                                         : std::ldexp(1024 + fraction, exponent - 25);
    const float value = value_of(half);
    if (exponent == 31 && fraction != 0) {
      ASSERT_TRUE(std::isnan(value)) << bits;
      continue;
    }
    ASSERT_EQ(value, half >> 15 != 0 ? -size : size) << bits;
    ASSERT_EQ(std::signbit(value), half >> 15 != 0) << bits;
    ASSERT_EQ(halves({value})[0], half) << bits;
  }
}

// Half-way between neighbours the even one is taken, a hair beside it the nearer one; past the
// last, infinity.
TEST(TensorValues, HalvesRoundToNearestEven) {
  for (std::uint16_t half = 0; half < 0x7c00; ++half) {
    const auto next = static_cast<std::uint16_t>(half + 1);
    const float above = next == 0x7c00 ? 65536.0f : value_of(next);
    const float middle = value_of(half) / 2 + above / 2;  // 12 bits at most: exact
    const std::uint16_t even = half % 2 == 0 ? half : next;
    const std::vector<float> near = {std::nextafter(middle, 0.0f), middle,
                                     std::nextafter(middle, 1e9f), -middle};
    ASSERT_THAT(halves(near), ElementsAre(half, even, next, 0x8000 | even)) << half;
  }
  EXPECT_THAT(halves({1e30f, -INFINITY, std::nanf("")}), ElementsAre(0x7c00, 0xfc00, 0x7e00));
}

TEST(TensorValues, OtherFloatsBecomeFloats) {
  EXPECT_THAT(to_floats(raw<std::uint16_t>(DType::bf16, {0x3f80, 0xc049, 0x0001})),
              ElementsAre(1.0f, -3.140625f, 0x1p-133f));
  EXPECT_THAT(to_floats(raw<double>(DType::f64, {1.0 / 3, 1e300, -2})),
              ElementsAre(1.0f / 3, INFINITY, -2.0f));
  EXPECT_THAT(to_floats(raw<float>(DType::f32, {1e-45f, -0.0f})), ElementsAre(1e-45f, -0.0f));
}

TEST(TensorValues, IntegersAreNotFloats) {
  for (const DType type : {DType::i64, DType::i32, DType::u8}) {
    EXPECT_THROW(to_floats({type, {1}, std::string(bytes_of(type), '\0')}), BugError);
  }
}

TEST(TensorValues, ShapesThatDoNotFitTheValuesAreBugs) {
  const std::vector<float> three(3);
  EXPECT_THROW(f32_tensor(three, {2, 2}), BugError);
  EXPECT_THROW(f16_tensor(three, {2}), BugError);
  EXPECT_EQ(f32_tensor(three, {3, 1}).bytes.size(), 12u);
}

}  // namespace
}  // namespace ddpm
