#include "ddpm/image/png_chunk.h"

#include <zlib.h>

namespace ddpm {
namespace {

std::uint32_t big_endian(std::string_view bytes) {
  std::uint32_t value = 0;
  for (const char c : bytes.substr(0, 4)) value = value << 8 | static_cast<unsigned char>(c);
  return value;
}

std::uint32_t crc_of(std::string_view bytes) {
  return static_cast<std::uint32_t>(
      ::crc32_z(0, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()));
}

}  // namespace

Result<PngChunk> next_png_chunk(std::string_view& rest, const std::string& name) {
  if (rest.size() < 12 || rest.size() - 12 < big_endian(rest)) {
    return fail(FailureCode::need_more, "[image] {}: the file ends early", name);
  }
  const std::uint32_t length = big_endian(rest);
  const std::string_view checked = rest.substr(4, std::size_t{length} + 4);
  if (crc_of(checked) != big_endian(rest.substr(std::size_t{length} + 8))) {
    return fail(FailureCode::corrupt, "[image] {}: wrong CRC of a chunk", name);
  }
  rest.remove_prefix(std::size_t{length} + 12);
  return PngChunk{checked.substr(0, 4), checked.substr(4)};
}

std::string png_chunk(std::string_view type, std::string_view data) {
  const std::string body = std::string(type) + std::string(data);
  return png_number(static_cast<std::uint32_t>(data.size())) + body + png_number(crc_of(body));
}

std::string png_number(std::uint32_t value) {
  std::string bytes;
  for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(value >> shift & 255);
  return bytes;
}

}  // namespace ddpm
