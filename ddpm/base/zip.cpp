#include "ddpm/base/zip.h"

#include <zlib.h>

#include <algorithm>
#include <limits>
#include <new>
#include <optional>

#include "ddpm/base/bytes.h"
#include "ddpm/base/crc32.h"

namespace ddpm {
namespace {

constexpr std::uint32_t kLocal = 0x04034b50, kCentral = 0x02014b50, kEnd = 0x06054b50;
constexpr std::uint32_t kEnd64 = 0x06064b50, kLocator64 = 0x07064b50;
constexpr std::size_t kLocalSize = 30, kCentralSize = 46, kEndSize = 22;
constexpr std::size_t kLocatorSize = 20, kEnd64Size = 56;
constexpr std::uint64_t kDeflateRatio = 1032;  // zlib's limit: 258 bytes from two bits
constexpr std::uint32_t kIn64 = 0xFFFFFFFF;    // the value stands in the ZIP64 field

// Little-endian number of `size` bytes at `at`; the caller has checked the range.
std::uint64_t number(std::string_view bytes, std::size_t at, std::size_t size) {
  return little_endian(bytes.substr(at, size));
}

bool inside(std::string_view bytes, std::uint64_t at, std::uint64_t size) {
  return at <= bytes.size() && size <= bytes.size() - at;
}

struct Directory {
  std::uint64_t entries = 0, offset = 0;
};

// The end record lies before a comment of at most 65,535 bytes.
std::optional<std::size_t> find_end(std::string_view bytes) {
  if (bytes.size() < kEndSize) return {};
  const std::size_t last = bytes.size() - kEndSize;
  const std::size_t first = last - std::min<std::size_t>(last, 65535);
  for (std::size_t at = last + 1; at-- > first;) {
    const bool ends_here =
        number(bytes, at, 4) == kEnd && at + kEndSize + number(bytes, at + 20, 2) == bytes.size();
    if (ends_here) return at;
  }
  return {};
}

std::optional<Directory> find_directory(std::string_view bytes) {
  const auto end = find_end(bytes);
  if (!end) return {};
  Directory d{number(bytes, *end + 10, 2), number(bytes, *end + 16, 4)};
  const bool has64 = *end >= kLocatorSize && number(bytes, *end - kLocatorSize, 4) == kLocator64;
  if (!has64) return d;
  const std::uint64_t at = number(bytes, *end - kLocatorSize + 8, 8);
  if (!inside(bytes, at, kEnd64Size) || number(bytes, at, 4) != kEnd64) return {};
  return Directory{number(bytes, at + 32, 8), number(bytes, at + 48, 8)};
}

// Values of the ZIP64 extra field replace those that are 0xFFFFFFFF, in this order.
bool read_extra64(std::string_view extra, ZipEntry& entry) {
  std::uint64_t* const values[] = {&entry.size, &entry.packed, &entry.offset};
  std::size_t at = 0;
  while (inside(extra, at, 4)) {
    const std::size_t size = number(extra, at + 2, 2);
    const std::uint64_t tag = number(extra, at, 2);
    at += 4;
    if (!inside(extra, at, size)) return false;
    if (tag != 1) {
      at += size;
      continue;
    }
    const std::string_view field = extra.substr(at, size);
    std::size_t used = 0;
    for (std::uint64_t* value : values) {
      if (*value != kIn64) continue;
      if (!inside(field, used, 8)) return false;
      *value = number(field, used, 8);
      used += 8;
    }
    return true;
  }
  return true;  // no such field: the values are what they say
}

bool plausible(std::string_view bytes, const ZipEntry& entry) {
  if (!inside(bytes, entry.offset, kLocalSize) || entry.packed > bytes.size()) return false;
  if (entry.method == 0) return entry.size == entry.packed;
  return entry.size / kDeflateRatio <= entry.packed;
}

// Inflates a raw deflate stream into exactly out.size() bytes.
bool inflate_all(std::string_view packed, std::string& out) {
  z_stream stream{};
  if (::inflateInit2(&stream, -MAX_WBITS) != Z_OK) throw std::bad_alloc();
  constexpr std::size_t kPiece = std::numeric_limits<uInt>::max();  // zlib counts in 32 bits
  std::size_t in = 0, made = 0;
  int status = Z_OK;
  while (status == Z_OK) {
    const std::size_t take = std::min(packed.size() - in, kPiece);
    const std::size_t room = std::min(out.size() - made, kPiece);
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data() + in));
    stream.avail_in = static_cast<uInt>(take);
    stream.next_out = reinterpret_cast<Bytef*>(out.data() + made);
    stream.avail_out = static_cast<uInt>(room);
    status = ::inflate(&stream, Z_NO_FLUSH);
    in += take - stream.avail_in;
    made += room - stream.avail_out;
  }
  ::inflateEnd(&stream);
  return status == Z_STREAM_END && made == out.size();
}

// What local header and central directory share: version, flags, method, date, checksum, sizes.
void append_common(std::string& out, const std::string& name, const std::string& content) {
  append_little_endian(out, 20, 2);
  append_little_endian(out, 0, 4);         // no flags, stored
  append_little_endian(out, 0x210000, 4);  // 00:00:00, 1980-01-01
  append_little_endian(out, crc32_of(content), 4);
  append_little_endian(out, content.size(), 4);
  append_little_endian(out, content.size(), 4);
  append_little_endian(out, name.size(), 2);
  append_little_endian(out, 0, 2);  // no extra field
}

}  // namespace

Result<std::vector<ZipEntry>> list_zip(std::string_view bytes, const std::string& name) {
  const auto directory = find_directory(bytes);
  if (!directory) {
    return fail(FailureCode::corrupt,
                "[zip] {}: not a ZIP archive, or cut short: its directory is missing", name);
  }
  std::vector<ZipEntry> entries;
  std::uint64_t at = directory->offset;
  std::uint64_t packed = 0;  // entries that share bytes would unpack to any size
  for (std::uint64_t i = 0; i < directory->entries; ++i) {
    const bool here = inside(bytes, at, kCentralSize) && number(bytes, at, 4) == kCentral;
    const std::uint64_t names = here ? number(bytes, at + 28, 2) : 0;
    const std::uint64_t extra = here ? number(bytes, at + 30, 2) : 0;
    const std::uint64_t comment = here ? number(bytes, at + 32, 2) : 0;
    if (!here || !inside(bytes, at + kCentralSize, names + extra + comment)) {
      return fail(FailureCode::corrupt, "[zip] {}: entry {} of the ZIP directory is cut short",
                  name, i);
    }
    ZipEntry entry{.name = std::string(bytes.substr(at + kCentralSize, names)),
                   .packed = number(bytes, at + 20, 4),
                   .size = number(bytes, at + 24, 4),
                   .offset = number(bytes, at + 42, 4),
                   .crc = static_cast<std::uint32_t>(number(bytes, at + 16, 4)),
                   .method = static_cast<int>(number(bytes, at + 10, 2))};
    if ((number(bytes, at + 8, 2) & 1) != 0) entry.method = -1;  // encrypted
    const bool sound = read_extra64(bytes.substr(at + kCentralSize + names, extra), entry) &&
                       plausible(bytes, entry);
    packed += sound ? entry.packed : 0;
    if (!sound || packed > bytes.size()) {
      return fail(FailureCode::corrupt,
                  "[zip] {}: entry {} of the ZIP directory has sizes that can't be", name, i);
    }
    entries.push_back(std::move(entry));
    at += kCentralSize + names + extra + comment;
  }
  return entries;
}

Result<std::string> read_zip_entry(std::string_view bytes, const ZipEntry& entry,
                                   const std::string& name) {
  if (entry.method != 0 && entry.method != 8) {
    return fail(FailureCode::unsupported, "[zip] {}: {} is {}, expected a stored or deflated entry",
                name, entry.name,
                entry.method < 0 ? "encrypted" : fmt::format("packed by method {}", entry.method));
  }
  const auto broken = [&](const char* what) {
    return fail(FailureCode::corrupt, "[zip] {}: {} in the archive {}", name, entry.name, what);
  };
  if (!plausible(bytes, entry) || number(bytes, entry.offset, 4) != kLocal) {
    return broken("has no local header");
  }
  const std::uint64_t start = entry.offset + kLocalSize + number(bytes, entry.offset + 26, 2) +
                              number(bytes, entry.offset + 28, 2);
  if (!inside(bytes, start, entry.packed)) return broken("is cut short");
  const std::string_view packed = bytes.substr(start, entry.packed);
  std::string out;
  if (entry.method == 0) {
    out = packed;
  } else {
    out.resize(entry.size);
    if (!inflate_all(packed, out)) return broken("has broken deflate data");
  }
  if (crc32_of(out) != entry.crc) return broken("has a wrong checksum");
  return out;
}

std::string write_zip(const std::vector<std::pair<std::string, std::string>>& entries) {
  std::string out, directory;
  for (const auto& [name, content] : entries) {
    DDPM_CHECK(name.size() < 65536 && content.size() < kIn64 && out.size() < kIn64);
    append_little_endian(directory, kCentral, 4);
    append_little_endian(directory, 20, 2);
    append_common(directory, name, content);
    directory.append(10, '\0');  // comment, disk, attributes
    append_little_endian(directory, out.size(), 4);
    directory += name;
    append_little_endian(out, kLocal, 4);
    append_common(out, name, content);
    out += name;
    out += content;
  }
  const std::size_t start = out.size();
  DDPM_CHECK(entries.size() < 65535 && start < kIn64);
  out += directory;
  append_little_endian(out, kEnd, 4);
  append_little_endian(out, 0, 4);
  append_little_endian(out, entries.size(), 2);
  append_little_endian(out, entries.size(), 2);
  append_little_endian(out, directory.size(), 4);
  append_little_endian(out, start, 4);
  append_little_endian(out, 0, 2);
  return out;
}

}  // namespace ddpm
