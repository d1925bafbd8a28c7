#include "ddpm/image/png.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>
#include <zlib.h>

#include "ddpm/base/temp_folder.h"
#include "ddpm/image/golden.h"

namespace ddpm {
namespace {

using testing::HasSubstr;

std::string as_text(const std::vector<std::uint8_t>& bytes) { return {bytes.begin(), bytes.end()}; }

std::string big_endian(std::uint32_t value) {
  std::string bytes;
  for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(value >> shift & 255);
  return bytes;
}

std::string chunk(const std::string& type, const std::string& data) {
  const std::string body = type + data;
  const auto crc = ::crc32_z(0, reinterpret_cast<const Bytef*>(body.data()), body.size());
  return big_endian(static_cast<std::uint32_t>(data.size())) + body +
         big_endian(static_cast<std::uint32_t>(crc));
}

std::string deflated(const std::string& raw) {
  std::string out(::compressBound(raw.size()), '\0');
  uLongf size = out.size();
  ::compress(reinterpret_cast<Bytef*>(out.data()), &size,
             reinterpret_cast<const Bytef*>(raw.data()), raw.size());
  out.resize(size);
  return out;
}

// `extra` goes between header and pixels.
std::string png(std::uint32_t width, std::uint32_t height, char depth, char colour,
                const std::string& raw, const std::string& extra = "") {
  const std::string header =
      big_endian(width) + big_endian(height) + depth + colour + std::string(3, '\0');
  return "\x89PNG\r\n\x1a\n" + chunk("IHDR", header) + extra + chunk("IDAT", deflated(raw)) +
         chunk("IEND", "");
}

TEST(Png, DecodesEveryColourTypeAndDepthPlainAndInterlaced) {
  int cases = 0;
  for (const auto& line : golden_lines("decode.txt")) {
    const auto image = decode_png(as_text(from_hex(line[4])), line[0]);
    ASSERT_TRUE(image) << image.error().message;
    EXPECT_EQ(image->width, std::stoi(line[1])) << line[0];
    EXPECT_EQ(image->height, std::stoi(line[2])) << line[0];
    EXPECT_EQ(image->channels, std::stoi(line[3])) << line[0];
    EXPECT_EQ(image->pixels, from_hex(line[5])) << line[0];
    ++cases;
  }
  EXPECT_EQ(cases, 38);
}

TEST(Png, EverySixteenBitValueRoundsToTheNearest) {
  std::string raw;
  for (int y = 0; y < 256; ++y) {
    raw += '\0';
    for (int x = 0; x < 256; ++x) raw += {static_cast<char>(y), static_cast<char>(x)};
  }
  const Image image = decode_png(png(256, 256, 16, 0, raw), "all").value();
  for (int v = 0; v < 65536; ++v) {
    ASSERT_EQ(image.pixels[v], (v * 255 + 32767) / 65535) << v;
  }
}

RC_GTEST_PROP(Png, DecodeAfterEncodeIsTheIdentity, (std::uint32_t seed)) {
  Image image =
      blank_image(*rc::gen::inRange(1, 40), *rc::gen::inRange(1, 40), *rc::gen::inRange(1, 5));
  image.pixels = noise_bytes(image.pixels.size(), seed);
  const std::string bytes = encode_png(image);
  RC_ASSERT(bytes == encode_png(image));
  const Image back = decode_png(bytes, "x").value();
  RC_ASSERT(back.width == image.width);
  RC_ASSERT(back.channels == image.channels);
  RC_ASSERT(back.pixels == image.pixels);
}

TEST(Png, FilesKeepImageAndText) {
  const TempFolder folder;
  const PngText text = {
      {"Software", "ddpm"}, {"parameters", "seed=7\nplan=ddim:50"}, {"empty", ""}};
  const Image image{2, 1, 3, {1, 2, 3, 4, 5, 6}};
  write_png(folder / "a.png", image, text);
  EXPECT_EQ(read_png(folder / "a.png").value().pixels, image.pixels);
  EXPECT_EQ(read_png_text(folder / "a.png").value(), text);
  write_png(folder / "b.png", image);
  EXPECT_TRUE(read_png_text(folder / "b.png").value().empty());
}

TEST(Png, TextAfterThePixelsIsFoundToo) {
  std::string bytes = encode_png(blank_image(1, 1, 1));
  bytes.insert(bytes.size() - 12, chunk("tEXt", std::string("late\0yes", 8)));
  EXPECT_EQ(parse_png_text(bytes, "x").value(), (PngText{{"late", "yes"}}));
  EXPECT_TRUE(decode_png(bytes, "x"));
}

TEST(Png, TextWithoutAValidKeywordIsABug) {
  EXPECT_THROW(encode_png(blank_image(1, 1, 1), {{"", "x"}}), BugError);
  EXPECT_THROW(encode_png(blank_image(1, 1, 1), {{std::string(80, 'k'), "x"}}), BugError);
}

// Peak resident memory of this process in KiB.
long peak_memory() {
  const std::string status = read_file("/proc/self/status").value();
  return std::stol(status.substr(status.find("VmHWM:") + 6));
}

TEST(Png, BombIsRefusedBeforeAnythingIsAllocated) {
  const std::string bomb = read_file(golden_path("bomb.png")).value();
  const long before = peak_memory();
  const auto image = decode_png(bomb, "bomb.png");
  ASSERT_FALSE(image);
  EXPECT_EQ(image.error().code, FailureCode::unsupported);
  EXPECT_THAT(image.error().message, HasSubstr("50000 x 50000"));
  EXPECT_LT(peak_memory() - before, 64 << 10);
}

TEST(Png, PixelsThatTheFileCannotHoldAreRefusedBeforeAnythingIsAllocated) {
  const std::string bytes = png(8000, 8000, 8, 6, std::string(100, '\0'));
  const long before = peak_memory();
  const auto image = decode_png(bytes, "x");
  ASSERT_FALSE(image);
  EXPECT_EQ(image.error().code, FailureCode::need_more);
  EXPECT_LT(peak_memory() - before, 64 << 10);
}

TEST(Png, LimitsAreTheCallers) {
  const std::string bytes = encode_png(blank_image(10, 4, 1));
  EXPECT_TRUE(decode_png(bytes, "x", {.max_pixels = 40, .max_side = 10}));
  EXPECT_FALSE(decode_png(bytes, "x", {.max_pixels = 39, .max_side = 10}));
  EXPECT_FALSE(decode_png(bytes, "x", {.max_pixels = 40, .max_side = 9}));
}

TEST(Png, LongThinImagesAreFine) {
  EXPECT_EQ(decode_png(encode_png(blank_image(1, 65'535, 1)), "x").value().height, 65'535);
  EXPECT_EQ(decode_png(encode_png(blank_image(65'535, 1, 3)), "x").value().width, 65'535);
}

TEST(Png, EveryTruncationIsAFailureThatNamesTheFile) {
  Image image = blank_image(20, 20, 3);
  image.pixels = noise_bytes(image.pixels.size(), 3);
  const std::string bytes = encode_png(image, {{"k", "v"}});
  for (std::size_t n = 0; n < bytes.size(); ++n) {
    const auto result = decode_png(std::string_view(bytes).substr(0, n), "cut.png");
    ASSERT_FALSE(result) << n;
    EXPECT_EQ(result.error().code, FailureCode::need_more) << n << ": " << result.error().message;
    EXPECT_THAT(result.error().message, HasSubstr("cut.png"));
    EXPECT_FALSE(parse_png_text(std::string_view(bytes).substr(0, n), "cut.png"));
  }
}

// Signature, length, type, data and CRC: whatever breaks, it is seen. (A bit of the IEND chunk
// harms nothing.)
TEST(Png, AFlippedBitNeverGivesOtherPixelsOrText) {
  Image image = blank_image(20, 20, 3);
  image.pixels = noise_bytes(image.pixels.size(), 4);
  const std::string good = encode_png(image);
  for (std::size_t n = 0; n + 12 < good.size(); ++n) {
    std::string bad = good;
    bad[n] = static_cast<char>(bad[n] ^ 1);
    const auto result = decode_png(bad, "bad.png");
    EXPECT_FALSE(result && result->pixels != image.pixels) << n;
    EXPECT_FALSE(parse_png_text(bad, "bad.png")) << n;
  }
}

TEST(Png, BadFilesAreNamedAndExplained) {
  const TempFolder folder;
  const std::pair<std::filesystem::path, const char*> cases[] = {
      {folder / "missing.png", "no such file"},
      {folder.path(), "got a directory"},
      {folder.write("empty.png", ""), "got an empty file"},
      {folder.write("text.png", "hello"), "starts with 68 65 6c 6c"},
      {folder.write("jpeg.png", "\xff\xd8\xff\xe0 JFIF"), "starts with ff d8 ff e0"}};
  for (const auto& [path, text] : cases) {
    const auto result = read_png(path);
    ASSERT_FALSE(result) << path;
    EXPECT_THAT(result.error().message, HasSubstr(text));
    EXPECT_THAT(result.error().message, HasSubstr(path.string()));
    EXPECT_FALSE(read_png_text(path));
  }
}

}  // namespace
}  // namespace ddpm
