// Any bytes as a PNG, and as the chunks of one with sound lengths and check sums: an image within
// the limits that comes back when it is written, or an error.
#include <zlib.h>

#include "ddpm/image/png.h"
#include "ddpm/image/png_chunk.h"
#include "fuzz/fuzz.h"

namespace {

using namespace ddpm;

constexpr PngLimits kLimits{.max_pixels = 1 << 16, .max_side = 4096};

void read(std::string_view bytes) {
  (void)parse_png_text(bytes, "fuzz");
  const auto image = decode_png(bytes, "fuzz", kLimits);
  if (!image) return;
  const auto pixels = static_cast<std::uint64_t>(image->width) * image->height;
  expect(image->width >= 1 && image->height >= 1 && pixels <= kLimits.max_pixels);
  expect(image->pixels.size() == pixels * image->channels);
  const auto again = decode_png(encode_png(*image), "again", kLimits);
  expect(again.has_value() && again->pixels == image->pixels);
}

std::string deflated(std::string_view bytes) {
  uLongf size = compressBound(bytes.size());
  std::string out(size, '\0');
  compress2(reinterpret_cast<Bytef*>(out.data()), &size,
            reinterpret_cast<const Bytef*>(bytes.data()), bytes.size(), 1);
  out.resize(size);
  return out;
}

// A header of sides below 64 and what the first bytes say of depth, colour and interlacing, then
// chunks whose types and lengths stand before their contents.
std::string chunks(std::string_view bytes) {
  constexpr std::string_view kTypes[] = {"PLTE", "tRNS", "IDAT", "tEXt", "gAMA", "iCCP",
                                         "sBIT", "acTL", "fdAT", "zTXt", "bKGD", "IDAT"};
  const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(bytes[i]); };
  std::string out = encode_png({1, 1, 1, {0}}).substr(0, kPngSignature);
  out += png_chunk("IHDR", png_number(byte(0) & 63) + png_number(byte(1) & 63) +
                               std::string(bytes.substr(2, 2)) + std::string(2, '\0') +
                               std::string(1, static_cast<char>(byte(4) & 1)));
  for (bytes.remove_prefix(5); bytes.size() >= 2;) {
    const std::string_view type = kTypes[byte(0) % std::size(kTypes)];
    const std::string_view content = bytes.substr(2, byte(1));
    out += png_chunk(type, type == "IDAT" ? deflated(content) : std::string(content));
    bytes.remove_prefix(2 + content.size());
  }
  return out + png_chunk("IEND", "");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes = text_of(data, size);
  read(bytes);
  if (size >= 5) read(chunks(bytes));
  return 0;
}
