// tEXt chunks, found without decoding a pixel (PNG, third edition, sections 5.3 and 11.3.3.2).
#include <zlib.h>

#include <algorithm>

#include "ddpm/base/file.h"
#include "ddpm/image/png.h"

namespace ddpm {
namespace {

std::uint32_t big_endian(std::string_view bytes) {
  std::uint32_t value = 0;
  for (const char c : bytes.substr(0, 4)) value = value << 8 | static_cast<unsigned char>(c);
  return value;
}

struct Chunk {
  std::string_view type, data;
};

// Takes a chunk off the front: length, type, data, CRC of type and data.
Result<Chunk> next_chunk(std::string_view& rest, const std::string& name) {
  if (rest.size() < 12 || rest.size() - 12 < big_endian(rest)) {
    return fail(FailureCode::need_more, "[image] {}: the file ends early", name);
  }
  const std::uint32_t length = big_endian(rest);
  const std::string_view checked = rest.substr(4, std::size_t{length} + 4);
  const auto crc = ::crc32_z(0, reinterpret_cast<const Bytef*>(checked.data()), checked.size());
  if (crc != big_endian(rest.substr(std::size_t{length} + 8))) {
    return fail(FailureCode::corrupt, "[image] {}: wrong CRC of a chunk", name);
  }
  rest.remove_prefix(std::size_t{length} + 12);
  return Chunk{checked.substr(0, 4), checked.substr(4)};
}

}  // namespace

Result<PngText> parse_png_text(std::string_view bytes, const std::string& name) {
  if (auto signature = check_png_signature(bytes, name); !signature) {
    return tl::unexpected(signature.error());
  }
  PngText text;
  std::string_view rest = bytes.substr(std::min<std::size_t>(8, bytes.size()));
  for (;;) {
    const auto chunk = next_chunk(rest, name);
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
