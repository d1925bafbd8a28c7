#include "ddpm/data/idx.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ddpm/base/temp_folder.h"
#include "ddpm/data/test_files.h"

namespace ddpm {
namespace {

using testing::HasSubstr;

using Dims = std::vector<std::uint32_t>;

TEST(Idx, PlainAndGzipGiveTheSameArray) {
  const std::string plain = idx_bytes({2, 3, 4}, ramp(24));
  for (const std::string& bytes : {plain, gzip(plain)}) {
    const auto array = parse_idx(bytes, 3, "x");
    ASSERT_TRUE(array) << array.error().message;
    EXPECT_EQ(array->dims, (Dims{2, 3, 4}));
    EXPECT_EQ(array->values, ramp(24));
  }
}

TEST(Idx, LabelsHaveOneDimension) {
  EXPECT_EQ(parse_idx(idx_bytes({5}, ramp(5)), 1, "x")->values, ramp(5));
}

TEST(Idx, TruncationSaysExpectedAndGot) {
  const std::string plain = idx_bytes({2, 3, 4}, ramp(24));
  const auto cut = parse_idx(plain.substr(0, 16 + 10), 3, "cut.idx");
  ASSERT_FALSE(cut);
  EXPECT_EQ(cut.error().code, FailureCode::need_more);
  EXPECT_THAT(cut.error().message, HasSubstr("got 10 bytes of values, expected 24 (2 x 3 x 4)"));
  EXPECT_THAT(cut.error().message, HasSubstr("cut.idx"));
}

TEST(Idx, EveryTruncationNeedsMore) {
  const std::string plain = idx_bytes({2, 3, 4}, ramp(24)), packed = gzip(plain);
  for (const std::string* bytes : {&plain, &packed}) {
    for (std::size_t n = 0; n < bytes->size(); ++n) {
      const auto cut = parse_idx(std::string_view(*bytes).substr(0, n), 3, "x");
      ASSERT_FALSE(cut) << n;
      EXPECT_EQ(cut.error().code, FailureCode::need_more) << n << ": " << cut.error().message;
    }
  }
}

TEST(Idx, BytesAfterTheLastValueAreCorrupt) {
  const std::string plain = idx_bytes({2, 3, 4}, ramp(24));
  for (const std::string& bytes : {plain + "x", gzip(plain + "x"), gzip(plain) + "x"}) {
    const auto result = parse_idx(bytes, 3, "x");
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, FailureCode::corrupt);
    EXPECT_THAT(result.error().message, HasSubstr("than the expected 24"));
  }
}

TEST(Idx, DamagedGzipIsCorrupt) {
  std::string bytes = gzip(idx_bytes({2, 30, 40}, ramp(2400)));
  bytes[bytes.size() - 6] = static_cast<char>(bytes[bytes.size() - 6] ^ 1);  // the checksum
  const auto result = parse_idx(bytes, 3, "x");
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, FailureCode::corrupt);
}

TEST(Idx, WrongMagicShowsBothNumbers) {
  struct Case {
    std::string bytes;
    FailureCode code;
    const char* text;
  };
  const Case cases[] = {
      {idx_bytes({5}, ramp(5)), FailureCode::unsupported,
       "got IDX magic 00000801, expected 00000803"},
      {be32(0x0D03) + ramp(40), FailureCode::unsupported, "got IDX magic 00000d03"},
      {"\x89PNG\r\n\x1a\n", FailureCode::corrupt, "got IDX magic 89504e47"},
      {be32(0x0A03) + ramp(40), FailureCode::corrupt, "got IDX magic 00000a03"}};
  for (const Case& c : cases) {
    const auto result = parse_idx(c.bytes, 3, "x");
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, c.code) << c.text;
    EXPECT_THAT(result.error().message, HasSubstr(c.text));
  }
}

TEST(Idx, ImpossibleDimensionsAreCorrupt) {
  for (const Dims& dims : {Dims{0, 3, 4}, Dims{1, 0, 4}, Dims{1, 3, 0}, Dims{1, 65'536, 1}}) {
    const auto result = parse_idx(idx_bytes(dims, ""), 3, "x");
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, FailureCode::corrupt) << dims[0] << dims[1] << dims[2];
  }
}

// 2^64 bytes are claimed: an allocation before the check would throw.
TEST(Idx, ClaimsThatTheBytesCannotHoldAreRefusedBeforeAnythingIsAllocated) {
  const std::string bytes = idx_bytes({0xffffffff, 65'535, 65'535}, ramp(100));
  for (const std::string& file : {bytes, gzip(bytes)}) {
    const auto result = parse_idx(file, 3, "x");
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, FailureCode::need_more);
  }
}

TEST(Idx, FilesAreNamedInErrors) {
  const TempFolder folder;
  const auto path = folder.write("a-idx3", "");
  EXPECT_THAT(read_idx(path, 3).error().message, HasSubstr(path.string()));
  EXPECT_THAT(read_idx(path, 3).error().message, HasSubstr("got an empty file"));
  EXPECT_EQ(read_idx(folder / "missing", 3).error().code, FailureCode::io);
}

}  // namespace
}  // namespace ddpm
