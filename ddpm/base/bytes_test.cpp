#include "ddpm/base/bytes.h"

#include <gtest/gtest.h>

#include "ddpm/base/crc32.h"
#include "ddpm/base/error.h"

namespace ddpm {
namespace {

TEST(Bytes, AreNumbersInBothOrders) {
  const std::string_view bytes("\x01\x02\xff", 3);
  EXPECT_EQ(little_endian(bytes), 0xff0201U);
  EXPECT_EQ(big_endian(bytes), 0x0102ffU);
  EXPECT_EQ(little_endian("\xff\xff\xff\xff\xff\xff\xff\xff"), UINT64_MAX);
  EXPECT_EQ(big_endian(""), 0U);
  EXPECT_THROW(little_endian("123456789"), BugError);
  EXPECT_THROW(big_endian("123456789"), BugError);
}

TEST(Bytes, AreAppendedAsTheyAreRead) {
  constexpr std::uint64_t kValue = 0x8899aabbccddeeff;
  for (int size = 0; size <= 8; ++size) {
    const std::uint64_t low = size == 8 ? kValue : kValue & ((std::uint64_t{1} << 8 * size) - 1);
    std::string little = "x", big = "x";
    append_little_endian(little, kValue, size);
    append_big_endian(big, kValue, size);
    EXPECT_EQ(little.size(), 1U + size);
    EXPECT_EQ(little_endian(std::string_view(little).substr(1)), low);
    EXPECT_EQ(big_endian(std::string_view(big).substr(1)), low);
  }
  std::string out;
  append_big_endian(out, 0x0102, 2);
  append_little_endian(out, 0x0304, 2);
  EXPECT_EQ(out, "\x01\x02\x04\x03");
}

TEST(Crc32, HasThePublishedCheckValueAndGoesOn) {
  EXPECT_EQ(crc32_of("123456789"), 0xcbf43926U);
  EXPECT_EQ(crc32_of("56789", crc32_of("1234")), 0xcbf43926U);
  EXPECT_EQ(crc32_of(""), 0U);
}

}  // namespace
}  // namespace ddpm
