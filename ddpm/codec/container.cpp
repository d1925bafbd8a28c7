#include "ddpm/codec/container.h"

#include <algorithm>

#include "ddpm/base/bytes.h"
#include "ddpm/base/file.h"
#include "ddpm/codec/checksum.h"
#include "ddpm/codec/container_layout.h"
#include "ddpm/codec/tiles.h"

namespace ddpm {
namespace container {
namespace {

bool side_ok(std::uint32_t side) { return 1 <= side && side <= kMaxSide; }

// The items of all images, or 0 when they are more than there may be.
std::uint64_t items_of(const Container& c) {
  std::uint64_t items = 0;
  const std::uint64_t different = c.sizes.size();
  for (const ImageSize size : c.sizes) {
    const std::uint64_t tiles = tiles_of(c, size);  // at most 2^40
    const std::uint64_t count = different == 1 ? c.images : 1;
    if (count > kMaxItems / tiles) return 0;
    items += tiles * count;
    if (items > kMaxItems) return 0;
  }
  return items;
}

}  // namespace

void put_varint(std::string& out, std::uint64_t value) {
  for (; value >= 128; value >>= 7) out.push_back(static_cast<char>((value & 127) | 128));
  out.push_back(static_cast<char>(value));
}

const char* contradiction(const Container& c) {
  if (c.mode > CodecMode::lossless) return "unknown mode";
  if (c.transmitter > Transmitter::greedy) return "a transmitter that can't be received";
  if (c.tile.c < 1 || c.tile.c > 4 || c.tile.w < 1 || c.tile.h < 1 ||
      !side_ok(static_cast<std::uint32_t>(c.tile.w)) ||
      !side_ok(static_cast<std::uint32_t>(c.tile.h))) {
    return "tile out of range";
  }
  if (c.images < 1 || c.images > kMaxItems) return "number of images out of range";
  if (c.sizes.size() != 1 && c.sizes.size() != c.images) return "sizes and images differ in number";
  for (const ImageSize size : c.sizes) {
    if (!side_ok(size.width) || !side_ok(size.height)) return "image size out of range";
  }
  std::uint64_t left = items_of(c);
  if (left == 0) return "too many tiles";
  for (const Group& group : c.groups) {
    if (group.items < 1 || group.items > left) return "groups and tiles differ in number";
    left -= group.items;
  }
  return left == 0 ? nullptr : "groups and tiles differ in number";
}

bool fits_short(const Container& c) {
  const ImageSize tile{static_cast<std::uint32_t>(c.tile.w), static_cast<std::uint32_t>(c.tile.h)};
  return c.images == 1 && c.sizes[0] == tile && c.transmitter == Transmitter::hadamard &&
         c.numerics == kShortNumerics && c.profile == 0 && c.step_table == 0 && c.seed == 0 &&
         c.mode != CodecMode::chain;
}

}  // namespace container

namespace {

using namespace container;

void put_start(std::string& out, const Container& c, unsigned layout) {
  out = kMagic;
  out.push_back(static_cast<char>(layout | static_cast<unsigned>(c.mode) << kModeShift));
}

std::string short_header(const Container& c) {
  std::string out;
  put_start(out, c, kShortLayout);
  append_little_endian(out, c.model.value >> 48, 2);
  append_little_endian(out, crc8(out), 1);
  return out;
}

std::string long_header(const Container& c) {
  const ImageSize tile{static_cast<std::uint32_t>(c.tile.w), static_cast<std::uint32_t>(c.tile.h)};
  const bool tile_is_size = c.sizes.size() == 1 && c.sizes[0] == tile;
  std::string out;
  put_start(out, c, kLongLayout);
  append_little_endian(out,
                       static_cast<unsigned>(c.transmitter) | (c.sizes.size() > 1 ? kOwnSizes : 0) |
                           (tile_is_size ? kTileIsSize : 0),
                       1);
  put_varint(out, c.numerics);
  append_little_endian(out, c.profile, 1);
  append_little_endian(out, c.step_table, 1);
  put_varint(out, c.seed);
  append_little_endian(out, c.model.value, 8);
  put_varint(out, tile.width - 1);
  put_varint(out, tile.height - 1);
  append_little_endian(out, c.tile.c, 1);
  put_varint(out, c.images - 1);
  for (std::size_t i = 0; i < c.sizes.size() && !tile_is_size; ++i) {
    put_varint(out, c.sizes[i].width - 1);
    put_varint(out, c.sizes[i].height - 1);
  }
  put_varint(out, c.groups.size() - 1);
  for (const Group& group : c.groups) {
    put_varint(out, group.items - 1);
    put_varint(out, group.bytes);
    append_little_endian(out, group.check, 4);
  }
  append_little_endian(out, crc32c(out), 4);
  return out;
}

}  // namespace

Fingerprint fingerprint_of(std::span<const std::string_view> parts) {
  std::string digests;
  for (const std::string_view part : parts) digests += sha256_hex(part);
  return {.value = std::stoull(sha256_hex(digests).substr(0, 16), nullptr, 16)};
}

std::string name_of(CodecMode mode) {
  switch (mode) {
    case CodecMode::lossy:
      return "lossy";
    case CodecMode::progressive:
      return "progressive to lossless";
    case CodecMode::chain:
      return "lossless chain";
    case CodecMode::lossless:
      return "lossless";
  }
  DDPM_CHECK(false, "{}", static_cast<int>(mode));
  return {};
}

std::uint64_t tiles_of(const Container& c, ImageSize size) {
  return tile_count(size.width, size.height, c.tile);
}

std::string write_container(Container c, const std::vector<std::string>& payloads) {
  DDPM_CHECK(!payloads.empty() && payloads.size() == c.groups.size(), "{} payloads, {} groups",
             payloads.size(), c.groups.size());
  DDPM_CHECK(c.model.bits == 64);
  for (std::size_t i = 0; i < payloads.size(); ++i) c.groups[i].bytes = payloads[i].size();
  const char* wrong = contradiction(c);
  DDPM_CHECK(wrong == nullptr, "{}", wrong);
  std::string out = fits_short(c) ? short_header(c) : long_header(c);
  for (const std::string& payload : payloads) out += payload;
  return out;
}

Result<std::string> truncate_container(std::string_view bytes, std::uint64_t max_bytes) {
  auto file = read_container(bytes);
  if (!file) return tl::unexpected(std::move(file).error());
  Container& c = file->container;
  if (c.mode != CodecMode::lossy && c.mode != CodecMode::progressive) {
    return fail(FailureCode::unsupported,
                "[codec] truncate: got a {} file, expected lossy or "
                "progressive; its images can't be cut",
                name_of(c.mode));
  }
  if (bytes.size() <= max_bytes) return std::string(bytes);
  std::vector<std::string_view> payloads;
  for (std::size_t i = 0; i < c.groups.size(); ++i) {
    payloads.push_back(payload_of(*file, bytes, i).bytes);
  }
  c.mode = CodecMode::lossy;
  const auto cut_to = [&](std::uint64_t share) {
    std::string body;
    for (std::size_t i = 0; i < payloads.size(); ++i) {
      const std::string_view kept = payloads[i].substr(0, share);
      c.groups[i].bytes = kept.size();
      c.groups[i].check = crc32c(kept);
      body += kept;
    }
    return (c.is_short ? short_header(c) : long_header(c)) + body;
  };
  if (cut_to(0).size() > max_bytes) {
    return fail(FailureCode::unsupported,
                "[codec] truncate: got {} bytes to keep, expected at least the header's {}",
                max_bytes, cut_to(0).size());
  }
  std::uint64_t low = 0, high = bytes.size();  // what fits, what doesn't
  while (high - low > 1) {
    const std::uint64_t middle = low + (high - low) / 2;
    (cut_to(middle).size() <= max_bytes ? low : high) = middle;
  }
  return cut_to(low);
}

}  // namespace ddpm
