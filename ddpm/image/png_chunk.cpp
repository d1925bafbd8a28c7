#include "ddpm/image/png_chunk.h"

#include "ddpm/base/bytes.h"
#include "ddpm/base/crc32.h"

namespace ddpm {
namespace {

// Four bytes at `at`.
std::uint32_t number_at(std::string_view bytes, std::size_t at = 0) {
  return static_cast<std::uint32_t>(big_endian(bytes.substr(at, 4)));
}

}  // namespace

Result<PngChunk> next_png_chunk(std::string_view& rest, const std::string& name) {
  if (rest.size() < 12 || rest.size() - 12 < number_at(rest)) {
    return fail(FailureCode::need_more, "[image] {}: the file ends early", name);
  }
  const std::uint32_t length = number_at(rest);
  const std::string_view checked = rest.substr(4, std::size_t{length} + 4);
  if (crc32_of(checked) != number_at(rest, std::size_t{length} + 8)) {
    return fail(FailureCode::corrupt, "[image] {}: wrong CRC of a chunk", name);
  }
  rest.remove_prefix(std::size_t{length} + 12);
  return PngChunk{checked.substr(0, 4), checked.substr(4)};
}

std::string png_chunk(std::string_view type, std::string_view data) {
  const std::string body = std::string(type) + std::string(data);
  return png_number(static_cast<std::uint32_t>(data.size())) + body + png_number(crc32_of(body));
}

std::string png_number(std::uint32_t value) {
  std::string bytes;
  append_big_endian(bytes, value, 4);
  return bytes;
}

}  // namespace ddpm
