#include "ddpm/codec/container.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>

#include "ddpm/codec/checksum.h"

namespace ddpm {
namespace {

constexpr std::uint64_t kModel = 0x1122334455667788;

Container single(CodecMode mode) {
  return {
      .mode = mode, .model = {kModel}, .tile = {1, 28, 28}, .sizes = {{28, 28}}, .groups = {{}}};
}

// Five images of two kinds, in tiles of 8 x 4: 1 + 2 + 6 + 1 + 1 items, in three groups.
Container several(CodecMode mode) {
  return {.mode = mode,
          .transmitter = Transmitter::pfr,
          .numerics = 300,
          .profile = 1,
          .step_table = 9,
          .seed = UINT64_MAX,
          .model = {kModel},
          .tile = {3, 4, 8},
          .images = 5,
          .sizes = {{8, 4}, {9, 4}, {17, 8}, {1, 1}, {8, 3}},
          .groups = {{.items = 3, .check = 1}, {.items = 6, .check = 0xffffffff}, {.items = 2}}};
}
const std::vector<std::string> kPayloads = {"first", std::string(200, 'x'), ""};

void expect_same(const Container& a, const Container& b) {
  EXPECT_EQ(a.mode, b.mode);
  EXPECT_EQ(a.transmitter, b.transmitter);
  EXPECT_EQ(a.numerics, b.numerics);
  EXPECT_EQ(a.profile, b.profile);
  EXPECT_EQ(a.step_table, b.step_table);
  EXPECT_EQ(a.seed, b.seed);
  EXPECT_EQ(a.model.value, b.model.value);
  EXPECT_EQ(a.tile, b.tile);
  EXPECT_EQ(a.images, b.images);
  EXPECT_EQ(a.sizes, b.sizes);
  ASSERT_EQ(a.groups.size(), b.groups.size());
  for (std::size_t i = 0; i < a.groups.size(); ++i) {
    EXPECT_EQ(a.groups[i].items, b.groups[i].items);
    EXPECT_EQ(a.groups[i].check, b.groups[i].check);
  }
}

FailureCode code_of(const Result<ReadContainer>& result) {
  return result ? FailureCode::io : result.error().code;  // io: never given by the reader
}

std::string hex(std::string_view bytes) {
  std::string text;
  for (const char c : bytes) text += fmt::format("{:02x}", static_cast<unsigned char>(c));
  return text;
}

TEST(Checksum, AgreesWithThePublishedCheckValues) {
  EXPECT_EQ(crc32c("123456789"), 0xe3069283U);
  EXPECT_EQ(crc8("123456789"), 0xdfU);
  EXPECT_EQ(crc32c(""), 0U);
}

// The examples of docs/format.md.
TEST(Container, HasTheBytesThatTheFormatShows) {
  EXPECT_EQ(hex(write_container(single(CodecMode::lossless), {"\x01\x02"})),
            "444450436122117d0102");
  EXPECT_EQ(hex(write_container(several(CodecMode::lossy), {"ab", "", "c"})),
            "444450430205ac020109ffffffffffffffffff018877665544332211070303040703080310070000070202"
            "0202010000000500ffffffff010100000000fc3ec27a616263");
}

TEST(Fingerprint, IsTheHashOfHashesAndDependsOnEveryPartAndTheirOrder) {
  const auto of = [](std::vector<std::string_view> parts) { return fingerprint_of(parts).value; };
  // printf '%s' "$(printf abc | sha256sum | cut -c1-64)" | sha256sum
  EXPECT_EQ(of({"abc"}), 0xdfe7a23fefeea519ULL);
  EXPECT_NE(of({"a", "b"}), of({"b", "a"}));
  EXPECT_NE(of({"ab", ""}), of({"a", "b"}));
  EXPECT_NE(of({"ab"}), of({"ab", ""}));
}

TEST(Container, OneImageOfTheModelsSizeHasAHeaderOfEightBytes) {
  for (const auto mode : {CodecMode::lossy, CodecMode::progressive, CodecMode::lossless}) {
    const std::string bytes = write_container(single(mode), {"payload"});
    const auto file = read_container(bytes);
    ASSERT_TRUE(file);
    EXPECT_EQ(file->header_bytes, 8U);
    EXPECT_TRUE(file->container.is_short);
    EXPECT_EQ(file->container.mode, mode);
    EXPECT_EQ(payload_of(*file, bytes, 0).bytes, "payload");
    EXPECT_TRUE(file->container.model.matches(kModel));
    EXPECT_TRUE(file->container.model.matches(kModel ^ 1));  // 16 bits only
    EXPECT_FALSE(file->container.model.matches(kModel ^ std::uint64_t{1} << 48));
  }
}

TEST(Container, WhateverAShortHeaderCannotSayMakesItLong) {
  const auto is_long = [](auto change) {
    Container c = single(CodecMode::lossy);
    change(c);
    const std::string bytes = write_container(c, {"payload"});
    const auto file = read_container(bytes).value();
    EXPECT_EQ(payload_of(file, bytes, 0).bytes, "payload");
    expect_same(c, file.container);
    return !file.container.is_short;
  };
  EXPECT_TRUE(is_long([](Container& c) { c.seed = 1; }));
  EXPECT_TRUE(is_long([](Container& c) { c.numerics = 3; }));
  EXPECT_TRUE(is_long([](Container& c) { c.profile = 1; }));
  EXPECT_TRUE(is_long([](Container& c) { c.step_table = 1; }));
  EXPECT_TRUE(is_long([](Container& c) { c.transmitter = Transmitter::greedy; }));
  EXPECT_TRUE(is_long([](Container& c) { c.mode = CodecMode::chain; }));
  EXPECT_TRUE(is_long([](Container& c) { c.sizes = {{27, 28}}; }));
  EXPECT_TRUE(is_long([](Container& c) { c.images = 2, c.groups[0].items = 2; }));
}

TEST(Container, SeveralImagesComeBackGroupByGroup) {
  const Container c = several(CodecMode::chain);
  const std::string bytes = write_container(c, kPayloads);
  const auto file = read_container(bytes).value();
  expect_same(c, file.container);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(payload_of(file, bytes, i).bytes, kPayloads[i]);
    EXPECT_TRUE(payload_of(file, bytes, i).complete);
  }
  EXPECT_EQ(tiles_of(file.container, {17, 8}), 6U);
  EXPECT_EQ(file.container.size_of(3), (ImageSize{1, 1}));
}

RC_GTEST_PROP(Container, AnyFieldsComeBack, ()) {
  Container c;
  c.mode = static_cast<CodecMode>(*rc::gen::inRange(0, 4));
  c.transmitter = static_cast<Transmitter>(*rc::gen::inRange(0, 3));
  c.numerics = *rc::gen::arbitrary<std::uint32_t>();
  c.profile = *rc::gen::arbitrary<std::uint8_t>();
  c.step_table = *rc::gen::arbitrary<std::uint8_t>();
  c.seed = *rc::gen::arbitrary<std::uint64_t>();
  c.model.value = *rc::gen::arbitrary<std::uint64_t>();
  c.tile = {*rc::gen::inRange(1, 5), *rc::gen::inRange(1, 300), *rc::gen::inRange(1, 300)};
  c.images = *rc::gen::inRange<std::uint64_t>(1, 200);
  const std::uint64_t sizes = *rc::gen::arbitrary<bool>() ? 1 : c.images;
  std::uint64_t items = 0;
  for (std::uint64_t i = 0; i < sizes; ++i) {
    c.sizes.push_back({*rc::gen::inRange(1U, 1000U), *rc::gen::inRange(1U, 1000U)});
    items += tiles_of(c, c.sizes.back()) * (sizes == 1 ? c.images : 1);
  }
  std::vector<std::string> payloads;
  while (items > 0) {
    const auto some = *rc::gen::inRange<std::uint64_t>(1, items + 1);
    c.groups.push_back({.items = some, .check = *rc::gen::arbitrary<std::uint32_t>()});
    payloads.push_back(*rc::gen::container<std::string>(rc::gen::arbitrary<char>()));
    items -= some;
  }
  const std::string bytes = write_container(c, payloads);
  const auto file = read_container(bytes);
  RC_ASSERT(file.has_value());
  if (!file->container.is_short) expect_same(c, file->container);
  for (std::size_t i = 0; i < payloads.size(); ++i) {
    RC_ASSERT(payload_of(*file, bytes, i).bytes == payloads[i]);
  }
}

// Cut at every length: need_more within the header, and after it each group has what is left of it.
TEST(Container, AFileCutAnywhereSaysWhatItHas) {
  for (const bool one : {true, false}) {
    const Container c = one ? single(CodecMode::lossy) : several(CodecMode::lossy);
    const auto payloads = one ? std::vector<std::string>{"abcdef"} : kPayloads;
    const std::string whole = write_container(c, payloads);
    const std::size_t header = read_container(whole)->header_bytes;
    for (std::size_t size = 0; size <= whole.size(); ++size) {
      const std::string_view bytes = std::string_view(whole).substr(0, size);
      const auto file = read_container(bytes);
      ASSERT_EQ(file.has_value(), size >= header) << size;
      if (!file) {
        EXPECT_EQ(file.error().code, FailureCode::need_more) << size;
        continue;
      }
      std::string body;
      for (std::size_t i = 0; i < payloads.size(); ++i) {
        const Payload part = payload_of(*file, bytes, i);
        EXPECT_EQ(payloads[i].substr(0, part.bytes.size()), part.bytes);
        EXPECT_EQ(part.complete, one || part.bytes.size() == payloads[i].size());
        body += part.bytes;
      }
      EXPECT_EQ(body, bytes.substr(header));
    }
  }
}

TEST(Container, EveryFlippedHeaderBitIsSeen) {
  for (const bool one : {true, false}) {
    const Container c = one ? single(CodecMode::lossy) : several(CodecMode::lossy);
    const std::string whole =
        write_container(c, one ? std::vector<std::string>{std::string(300, 'p')} : kPayloads);
    const std::size_t header = read_container(whole)->header_bytes;
    for (std::size_t bit = 0; bit < 8 * header; ++bit) {
      std::string bytes = whole;
      bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ 1 << bit % 8);
      EXPECT_FALSE(read_container(bytes)) << bit;
    }
  }
}

// What has a good check sum and is still wrong.
TEST(Container, HeadersThatContradictThemselvesAreCorrupt) {
  const auto patched = [](std::size_t at, char value) {
    std::string bytes = write_container(several(CodecMode::lossy), kPayloads);
    const std::size_t end = read_container(bytes)->header_bytes - 4;
    bytes[at] = value;
    const std::uint32_t check = crc32c(std::string_view(bytes).substr(0, end));
    for (std::size_t i = 0; i < 4; ++i) bytes[end + i] = static_cast<char>(check >> 8 * i & 255);
    return code_of(read_container(bytes));
  };
  EXPECT_EQ(patched(5, 5), FailureCode::io);              // as it was: pfr, own sizes
  EXPECT_EQ(patched(5, 0x15), FailureCode::unsupported);  // a newer flag
  EXPECT_EQ(patched(5, 7), FailureCode::corrupt);         // a transmitter that nobody receives
  EXPECT_EQ(patched(5, 13), FailureCode::corrupt);        // the tile's size and sizes of their own
}

// One file has one spelling: 1 as 81 00 is refused.
TEST(Container, NumbersInMoreBytesThanTheyNeedAreCorrupt) {
  Container c = single(CodecMode::lossy);
  c.seed = 1;
  std::string bytes = write_container(c, {""});
  constexpr std::size_t kSeed = 9;
  ASSERT_EQ(bytes.substr(kSeed, 1), "\x01");
  bytes.replace(kSeed, 1, std::string("\x81\0", 2));
  bytes.resize(bytes.size() - 4);
  const std::uint32_t check = crc32c(bytes);
  for (int i = 0; i < 4; ++i) bytes.push_back(static_cast<char>(check >> 8 * i & 255));
  EXPECT_EQ(code_of(read_container(bytes)), FailureCode::corrupt);
}

TEST(Container, OtherFilesAndNewerOnesAreTold) {
  EXPECT_EQ(code_of(read_container("")), FailureCode::need_more);
  EXPECT_EQ(code_of(read_container("DDP")), FailureCode::need_more);
  EXPECT_EQ(code_of(read_container("DDPX")), FailureCode::corrupt);
  EXPECT_EQ(code_of(read_container("PK\x03\x04")), FailureCode::corrupt);
  EXPECT_EQ(code_of(read_container("DDPC\x03zzzzz")), FailureCode::unsupported);
  EXPECT_EQ(code_of(read_container("DDPC\x81zzzzz")), FailureCode::unsupported);  // mode 4
}

// A header of a few bytes that promises a trillion pixels costs an error, not memory.
TEST(Container, PixelsBeyondTheLimitAreRefusedUnread) {
  Container c = single(CodecMode::chain);
  c.images = std::uint64_t{1} << 40;
  c.groups[0].items = c.images;
  const std::string bytes = write_container(c, {""});
  EXPECT_LT(bytes.size(), 60U);
  EXPECT_EQ(code_of(read_container(bytes)), FailureCode::unsupported);
  EXPECT_TRUE(read_container(bytes, {.max_pixels = UINT64_MAX}));
}

TEST(Container, ContradictingFieldsAreTheWritersBug) {
  Container c = several(CodecMode::lossy);
  c.groups[1].items = 5;
  EXPECT_THROW(write_container(c, kPayloads), BugError);
  c = single(CodecMode::lossy);
  c.transmitter = Transmitter::ideal;
  EXPECT_THROW(write_container(c, {""}), BugError);
  EXPECT_THROW(write_container(single(CodecMode::lossy), {"", ""}), BugError);
}

TEST(Truncate, GivesTheLongestFileThatFitsAndKeepsPrefixes) {
  for (const bool one : {true, false}) {
    const Container c = one ? single(CodecMode::progressive) : several(CodecMode::lossy);
    const auto payloads = one ? std::vector<std::string>{std::string(90, 'q')} : kPayloads;
    const std::string whole = write_container(c, payloads);
    for (std::size_t most = 0; most <= whole.size() + 1; ++most) {
      const auto cut = truncate_container(whole, most);
      if (!cut) {
        EXPECT_EQ(cut.error().code, FailureCode::unsupported);
        EXPECT_LT(most, read_container(whole)->header_bytes);
        continue;
      }
      ASSERT_LE(cut->size(), most);
      EXPECT_GE(cut->size() + 2, std::min(most, whole.size()));  // a length may need another byte
      const auto file = read_container(*cut).value();
      EXPECT_EQ(file.container.mode, most < whole.size() ? CodecMode::lossy : c.mode);
      for (std::size_t i = 0; i < payloads.size(); ++i) {
        const Payload part = payload_of(file, *cut, i);
        EXPECT_TRUE(part.complete);
        EXPECT_EQ(part.bytes, payloads[i].substr(0, part.bytes.size()));
        if (!one && most < whole.size()) {
          EXPECT_EQ(file.container.groups[i].check, crc32c(part.bytes));
        }
      }
    }
  }
}

TEST(Truncate, LosslessFilesAreNotCut) {
  const std::string bytes = write_container(several(CodecMode::chain), kPayloads);
  EXPECT_EQ(truncate_container(bytes, 100).error().code, FailureCode::unsupported);
  EXPECT_EQ(truncate_container("DDPX", 100).error().code, FailureCode::corrupt);
}

}  // namespace
}  // namespace ddpm
