#include "ddpm/image/apng.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include "ddpm/image/png_chunk.h"

namespace ddpm {
namespace {

using std::chrono::milliseconds;

Image shade(int width, int height, int channels, std::uint8_t value) {
  Image image = blank_image(width, height, channels, value);
  for (std::size_t i = 0; i < image.pixels.size(); i += 3) image.pixels[i] ^= 0x55;
  return image;
}

std::vector<PngChunk> chunks_of(std::string_view bytes) {
  std::vector<PngChunk> all;
  bytes.remove_prefix(kPngSignature);
  while (!bytes.empty()) all.push_back(next_png_chunk(bytes, "x").value());
  return all;
}

std::uint32_t number(std::string_view bytes, std::size_t at) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < 4; ++i) {
    value = value << 8 | static_cast<unsigned char>(bytes[at + i]);
  }
  return value;
}

TEST(Apng, ShowsItsFirstFrameWhereAnimationsAreNotKnown) {
  const Image first = shade(5, 4, 3, 10);
  const std::string bytes =
      encode_apng({{first, milliseconds(40)}, {shade(5, 4, 3, 20), {}}}, {{"key", "value"}});
  EXPECT_EQ(decode_png(bytes, "x").value().pixels, first.pixels);
  EXPECT_EQ(parse_png_text(bytes, "x").value().at("key"), "value");
}

// A frame's fdAT chunks, each without its sequence number, are the IDAT of a PNG of that frame:
// put behind the header they decode to it.
TEST(Apng, EveryFrameDecodesToItsImage) {
  const std::vector<ApngFrame> frames = {{shade(7, 3, 1, 1), {}},
                                         {shade(7, 3, 1, 2), milliseconds(70)},
                                         {shade(7, 3, 1, 3), milliseconds(2000)}};
  const std::string bytes = encode_apng(frames);
  const std::vector<PngChunk> chunks = chunks_of(bytes);
  std::vector<std::string> data;
  for (const PngChunk& chunk : chunks) {
    if (chunk.type == "fcTL") data.emplace_back();
    if (chunk.type == "IDAT") data.back() += chunk.data;
    if (chunk.type == "fdAT") data.back() += chunk.data.substr(4);
  }
  ASSERT_EQ(data.size(), 3U);
  for (std::size_t i = 0; i < 3; ++i) {
    const std::string png = bytes.substr(0, kPngSignature) + png_chunk("IHDR", chunks[0].data) +
                            png_chunk("IDAT", data[i]) + png_chunk("IEND", "");
    EXPECT_EQ(decode_png(png, "x").value().pixels, frames[i].image.pixels) << i;
  }
}

// fcTL and fdAT share one count from 0 without a gap; acTL stands before the first IDAT and says
// how many frames there are.
TEST(Apng, NumbersItsChunksAndSaysSizesAndDelays) {
  const std::string bytes =
      encode_apng({{shade(6, 2, 4, 9), milliseconds(50)}, {shade(6, 2, 4, 8), milliseconds(1500)}});
  std::vector<std::string> types;
  std::uint32_t sequence = 0;
  std::vector<int> delays;
  for (const PngChunk& chunk : chunks_of(bytes)) {
    types.emplace_back(chunk.type);
    if (chunk.type == "acTL") {
      EXPECT_EQ(number(chunk.data, 0), 2U);
      EXPECT_EQ(number(chunk.data, 4), 0U);
    }
    if (chunk.type != "fcTL" && chunk.type != "fdAT") continue;
    EXPECT_EQ(number(chunk.data, 0), sequence++);
    if (chunk.type == "fdAT") continue;
    EXPECT_EQ(number(chunk.data, 4), 6U);
    EXPECT_EQ(number(chunk.data, 8), 2U);
    delays.push_back(static_cast<int>(number(chunk.data, 20) >> 16));
    EXPECT_EQ(number(chunk.data, 20) & 0xFFFF, 1000U);
  }
  EXPECT_EQ(types,
            (std::vector<std::string>{"IHDR", "acTL", "fcTL", "IDAT", "fcTL", "fdAT", "IEND"}));
  EXPECT_EQ(delays, (std::vector<int>{50, 1500}));
}

TEST(Apng, RefusesFramesOfTwoSizes) {
  EXPECT_THROW(encode_apng({{shade(6, 2, 4, 9), {}}, {shade(6, 3, 4, 8), {}}}), BugError);
  EXPECT_THROW(encode_apng({}), BugError);
}

}  // namespace
}  // namespace ddpm
