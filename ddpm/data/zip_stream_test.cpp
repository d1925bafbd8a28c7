#include "ddpm/data/zip_stream.h"

#include <gtest/gtest.h>

#include "ddpm/base/bytes.h"
#include "ddpm/base/crc32.h"
#include "ddpm/base/zip.h"

namespace ddpm {
namespace {

std::string little_endian(std::uint32_t value) {
  return {static_cast<char>(value & 255), static_cast<char>(value >> 8 & 255),
          static_cast<char>(value >> 16 & 255), static_cast<char>(value >> 24)};
}

TEST(ZipStream, ReadsBackWithTheCrcPutInAtTheEnd) {
  const std::string first = "some content that comes in pieces", second = "known before";
  ZipStream zip;
  std::string bytes = zip.begin_entry("a.npy", first.size());
  std::uint32_t crc = 0;
  for (std::size_t i = 0; i < first.size(); i += 5) {
    bytes += first.substr(i, 5);
    crc = crc32_of(first.substr(i, 5), crc);
  }
  zip.set_crc(crc);
  EXPECT_EQ(bytes.substr(zip.crc_offset() - 14, 4), "PK\x03\x04");
  bytes.replace(zip.crc_offset(), 4, little_endian(crc));
  bytes += zip.begin_entry("b", second.size(), crc32_of(second));
  bytes += second;
  bytes += zip.end();

  const auto entries = list_zip(bytes, "x").value();
  ASSERT_EQ(entries.size(), 2U);
  EXPECT_EQ(entries[0].name, "a.npy");
  EXPECT_EQ(read_zip_entry(bytes, entries[0], "x").value(), first);
  EXPECT_EQ(read_zip_entry(bytes, entries[1], "x").value(), second);
}

// A central directory alone tells sizes of 6 GB; that many bytes need not be written to see it.
TEST(ZipStream, CountsBeyond32Bits) {
  ZipStream zip;
  const std::uint64_t size = 6'000'000'000;
  const std::size_t header = zip.begin_entry("a", size).size();
  zip.begin_entry("b", 1);
  const std::string end = zip.end();
  const std::size_t second = end.find("PK\x01\x02", 4);
  std::uint64_t offset = 0;
  for (int i = 8; i-- > 0;) {
    offset = offset << 8 | static_cast<unsigned char>(end[second + 46 + 1 + 4 + 16 + i]);
  }
  EXPECT_EQ(offset, header + size);
}

}  // namespace
}  // namespace ddpm
