// tEXt chunks, found without decoding a pixel (PNG, third edition, section 11.3.3.2).
#include <algorithm>

#include "ddpm/base/file.h"
#include "ddpm/image/png.h"
#include "ddpm/image/png_chunk.h"

namespace ddpm {

Result<PngText> parse_png_text(std::string_view bytes, const std::string& name) {
  if (auto signature = check_png_signature(bytes, name); !signature) {
    return tl::unexpected(signature.error());
  }
  PngText text;
  std::string_view rest = bytes.substr(std::min(kPngSignature, bytes.size()));
  for (;;) {
    const auto chunk = next_png_chunk(rest, name);
    if (!chunk) return tl::unexpected(chunk.error());
    if (chunk->type == "IEND") return text;
    const std::size_t zero = chunk->data.find('\0');
    if (chunk->type == "tEXt" && zero != std::string_view::npos) {
      text.emplace(chunk->data.substr(0, zero), chunk->data.substr(zero + 1));
    }
  }
}

Result<PngText> read_png_text(const std::filesystem::path& path) {
  return read_file(path, kMaxPngBytes).and_then([&](const std::string& bytes) {
    return parse_png_text(bytes, path.string());
  });
}

}  // namespace ddpm
