#include "ddpm/image/apng.h"

#include "ddpm/image/png_chunk.h"

namespace ddpm {
namespace {

std::string two_bytes(std::int64_t value) {
  return {static_cast<char>(value >> 8 & 255), static_cast<char>(value & 255)};
}

// fcTL: where the frame lies, how long it is shown; it replaces what was there.
std::string frame_control(std::uint32_t sequence, const ApngFrame& frame) {
  const auto side = [](int pixels) { return png_number(static_cast<std::uint32_t>(pixels)); };
  return png_chunk("fcTL", png_number(sequence) + side(frame.image.width) +
                               side(frame.image.height) + png_number(0) + png_number(0) +
                               two_bytes(frame.delay.count()) + two_bytes(1000) +
                               std::string(2, '\0'));
}

// Calls `use` for each chunk of one of our own PNGs.
template <class Use>
void for_each_chunk(std::string_view png, Use use) {
  png.remove_prefix(kPngSignature);
  while (!png.empty()) {
    const auto chunk = next_png_chunk(png, "frame");
    DDPM_CHECK(chunk.has_value());
    use(*chunk);
  }
}

void check_frames(const std::vector<ApngFrame>& frames) {
  DDPM_CHECK(!frames.empty());
  for (const ApngFrame& frame : frames) {
    const Image &a = frame.image, &b = frames.front().image;
    DDPM_CHECK(a.width == b.width && a.height == b.height && a.channels == b.channels);
    DDPM_CHECK(frame.delay.count() >= 0 && frame.delay.count() <= 65'535);
  }
}

}  // namespace

std::string encode_apng(const std::vector<ApngFrame>& frames, const PngText& text) {
  check_frames(frames);
  std::uint32_t sequence = 0;  // counts fcTL and fdAT together
  const std::string first = encode_png(frames.front().image, text);
  std::string out = first.substr(0, kPngSignature);
  bool animated = false;
  // acTL and the first fcTL stand before the first IDAT, whose pixels are the first frame.
  for_each_chunk(first, [&](const PngChunk& chunk) {
    if (chunk.type == "IEND") return;
    if (chunk.type == "IDAT" && !animated) {
      out += png_chunk("acTL", png_number(static_cast<std::uint32_t>(frames.size())) +
                                   png_number(0));  // plays without end
      out += frame_control(sequence++, frames.front());
      animated = true;
    }
    out += png_chunk(chunk.type, chunk.data);
  });
  for (std::size_t i = 1; i < frames.size(); ++i) {
    out += frame_control(sequence++, frames[i]);
    for_each_chunk(encode_png(frames[i].image), [&](const PngChunk& chunk) {
      if (chunk.type != "IDAT") return;
      out += png_chunk("fdAT", png_number(sequence++) + std::string(chunk.data));
    });
  }
  return out + png_chunk("IEND", "");
}

}  // namespace ddpm
