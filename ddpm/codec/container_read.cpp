#include <algorithm>

#include "ddpm/base/bytes.h"
#include "ddpm/codec/checksum.h"
#include "ddpm/codec/container.h"
#include "ddpm/codec/container_layout.h"

namespace ddpm {
namespace {

using namespace container;

tl::unexpected<Failure> cut_short(std::size_t have) {
  return fail(FailureCode::need_more, "[codec] container: got {} bytes, which end in the header",
              have);
}

tl::unexpected<Failure> corrupt(const char* what) {
  return fail(FailureCode::corrupt, "[codec] container: got {}, expected a whole DDPC file", what);
}

// Reads numbers until one is missing or wrong, and then only zeros: looked at once, at the end.
class Fields {
 public:
  Fields(std::string_view bytes, std::size_t at) : bytes_(bytes), at_(at) {}

  std::uint64_t fixed(std::size_t count) {
    if (!has(count)) return 0;
    at_ += count;
    return little_endian(bytes_.substr(at_ - count, count));
  }

  // At most `most`, in as few bytes as it needs.
  std::uint64_t varint(std::uint64_t most) {
    std::uint64_t value = 0;
    for (int shift = 0;; shift += 7) {
      if (!has(1)) return 0;
      const std::uint64_t low = byte(at_) & 127U;
      const bool last = byte(at_) < 128;
      ++at_;
      value |= low << shift;
      if (value >> shift != low || (last && low == 0 && shift > 0) || (!last && shift == 63)) break;
      if (last) {
        if (value > most) break;
        return value;
      }
    }
    corrupt_ = true;
    return 0;
  }

  std::size_t at() const { return at_; }
  std::size_t left() const { return bytes_.size() - at_; }
  bool ended() const { return ended_; }
  bool is_corrupt() const { return corrupt_; }
  bool good() const { return !ended_ && !corrupt_; }

 private:
  bool has(std::size_t count) {
    if (left() < count) ended_ = true;
    return good();
  }
  unsigned char byte(std::size_t at) const { return static_cast<unsigned char>(bytes_[at]); }

  std::string_view bytes_;
  std::size_t at_;
  bool ended_ = false, corrupt_ = false;
};

Result<ReadContainer> read_short(std::string_view bytes, CodecMode mode) {
  if (bytes.size() < kShortHeader) return cut_short(bytes.size());
  Fields fields(bytes, 5);
  ReadContainer file;
  Container& c = file.container;
  c.mode = mode;
  c.is_short = true;
  c.numerics = kShortNumerics;
  c.model = {.value = fields.fixed(2) << 48, .bits = 16};
  if (fields.fixed(1) != crc8(bytes.substr(0, kShortHeader - 1))) {
    return corrupt("a header that its check sum does not fit");
  }
  if (mode == CodecMode::chain) return corrupt("a short header of a chain");
  c.groups = {{.items = 1, .bytes = bytes.size() - kShortHeader}};
  file.header_bytes = kShortHeader;
  return file;
}

void read_images(Fields& fields, unsigned flags, Container& c) {
  const auto side = [&] { return static_cast<std::uint32_t>(fields.varint(kMaxSide - 1)) + 1; };
  const ImageSize tile{side(), side()};
  c.tile = {static_cast<int>(fields.fixed(1)), static_cast<int>(tile.height),
            static_cast<int>(tile.width)};
  c.images = fields.varint(kMaxItems - 1) + 1;
  if (flags & kTileIsSize) {
    c.sizes = {tile};
    return;
  }
  const std::uint64_t count = flags & kOwnSizes ? c.images : 1;
  for (std::uint64_t i = 0; i < count && fields.good(); ++i) c.sizes.push_back({side(), side()});
}

void read_groups(Fields& fields, Container& c) {
  const std::uint64_t count = fields.varint(kMaxItems - 1) + 1;
  for (std::uint64_t i = 0; i < count && fields.good(); ++i) {
    Group group;
    group.items = fields.varint(kMaxItems - 1) + 1;
    group.bytes = fields.varint(UINT64_MAX >> 1);
    group.check = static_cast<std::uint32_t>(fields.fixed(4));
    c.groups.push_back(group);
  }
}

// Of all tiles: what a reader holds, which small images in large tiles do not show.
std::uint64_t pixels_of(const Container& c) {
  constexpr std::uint64_t kMost = UINT64_MAX >> 1;
  const std::uint64_t tile = std::uint64_t{1} * c.tile.w * c.tile.h;
  std::uint64_t items = 0;
  for (const Group& group : c.groups) items += group.items;
  return items > kMost / tile ? kMost : items * tile;
}

Result<ReadContainer> read_long(std::string_view bytes, CodecMode mode, const ReadLimits& limits) {
  Fields fields(bytes, 5);
  ReadContainer file;
  Container& c = file.container;
  c.mode = mode;
  const auto flags = static_cast<unsigned>(fields.fixed(1));
  c.transmitter = static_cast<Transmitter>(flags & kTransmitterBits);
  c.numerics = static_cast<std::uint32_t>(fields.varint(UINT32_MAX));
  c.profile = static_cast<std::uint8_t>(fields.fixed(1));
  c.step_table = static_cast<std::uint8_t>(fields.fixed(1));
  c.seed = fields.varint(UINT64_MAX);
  c.model.value = fields.fixed(8);
  read_images(fields, flags, c);
  read_groups(fields, c);
  const std::size_t end = fields.at();
  const std::uint64_t check = fields.fixed(4);
  // A flipped bit may make a header seem longer than the file; only a cut one is worth more bytes.
  if (fields.is_corrupt()) return corrupt("a number out of range in the header");
  if (fields.ended()) return cut_short(bytes.size());
  if (check != crc32c(bytes.substr(0, end))) {
    return corrupt("a header that its check sum does not fit");
  }
  if (flags & kUnusedFlags) {
    return fail(FailureCode::unsupported, "[codec] container: got flags {:#x}, which are newer",
                flags);
  }
  if ((flags & kTileIsSize) && (flags & kOwnSizes)) return corrupt("contradicting flags");
  if (const char* wrong = contradiction(c)) return corrupt(wrong);
  if (const std::uint64_t pixels = pixels_of(c); pixels > limits.max_pixels) {
    return fail(FailureCode::unsupported, "[codec] container: got {} pixels, expected at most {}",
                pixels, limits.max_pixels);
  }
  file.header_bytes = fields.at();
  return file;
}

}  // namespace

Result<ReadContainer> read_container(std::string_view bytes, const ReadLimits& limits) {
  if (bytes.substr(0, 4) != kMagic.substr(0, std::min<std::size_t>(4, bytes.size()))) {
    return fail(FailureCode::corrupt, "[codec] container: got other first bytes than 'DDPC'");
  }
  if (bytes.size() < 5) return cut_short(bytes.size());
  const auto start = static_cast<unsigned char>(bytes[4]);
  const unsigned layout = start & kLayoutBits;
  if (layout != kShortLayout && layout != kLongLayout) {
    return fail(FailureCode::unsupported,
                "[codec] container: got layout {}, expected {} or {}; try a newer ddpm", layout,
                kShortLayout, kLongLayout);
  }
  const unsigned mode = start >> kModeShift;
  if (mode > static_cast<unsigned>(CodecMode::lossless)) {
    return fail(FailureCode::unsupported, "[codec] container: got mode {}, expected 0..3", mode);
  }
  const auto known = static_cast<CodecMode>(mode);
  return layout == kLongLayout ? read_long(bytes, known, limits) : read_short(bytes, known);
}

Payload payload_of(const ReadContainer& file, std::string_view bytes, std::size_t group) {
  const std::vector<Group>& groups = file.container.groups;
  DDPM_CHECK(group < groups.size() && file.header_bytes <= bytes.size(), "{}", group);
  std::string_view rest = bytes.substr(file.header_bytes);
  for (std::size_t i = 0; i < group; ++i) {
    rest.remove_prefix(std::min<std::uint64_t>(rest.size(), groups[i].bytes));
  }
  const std::uint64_t size = groups[group].bytes;
  return {rest.substr(0, std::min<std::uint64_t>(rest.size(), size)), rest.size() >= size};
}

}  // namespace ddpm
