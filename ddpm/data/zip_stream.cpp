#include "ddpm/data/zip_stream.h"

#include <zlib.h>

#include "ddpm/base/error.h"

namespace ddpm {
namespace {

constexpr std::uint32_t kIn64 = 0xFFFFFFFF;  // the value stands in the ZIP64 field
constexpr int kVersion = 45;                 // the first with ZIP64
constexpr std::size_t kCrcPlace = 14;        // in a local header

void append(std::string& out, std::uint64_t value, int size) {
  for (int i = 0; i < size; ++i) out += static_cast<char>(value >> 8 * i & 255);
}

// What local header and central directory share. `extra`: bytes of the extra field.
void append_common(std::string& out, const std::string& name, std::uint32_t crc, int extra) {
  append(out, kVersion, 2);
  append(out, 0, 4);         // no flags, stored
  append(out, 0x210000, 4);  // 00:00:00, 1980-01-01: the same contents give the same bytes
  append(out, crc, 4);
  append(out, kIn64, 4);
  append(out, kIn64, 4);
  append(out, name.size(), 2);
  append(out, extra, 2);
}

}  // namespace

std::uint32_t crc32_of(std::string_view bytes, std::uint32_t crc) {
  return static_cast<std::uint32_t>(
      ::crc32_z(crc, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()));
}

std::string ZipStream::begin_entry(const std::string& name, std::uint64_t size, std::uint32_t crc) {
  DDPM_CHECK(name.size() < 65'536);
  entries_.push_back({name, size, size_, crc});
  std::string out;
  append(out, 0x04034b50, 4);
  append_common(out, name, crc, 20);
  out += name;
  append(out, 1, 2);  // the ZIP64 field: size, then size in the archive
  append(out, 16, 2);
  append(out, size, 8);
  append(out, size, 8);
  size_ += out.size() + size;
  return out;
}

std::uint64_t ZipStream::crc_offset() const { return entries_.back().offset + kCrcPlace; }

void ZipStream::set_crc(std::uint32_t crc) { entries_.back().crc = crc; }

std::string ZipStream::end() const {
  std::string out;
  for (const Entry& entry : entries_) {
    append(out, 0x02014b50, 4);
    append(out, kVersion, 2);
    append_common(out, entry.name, entry.crc, 28);
    out.append(10, '\0');  // comment, disk, attributes
    append(out, kIn64, 4);
    out += entry.name;
    append(out, 1, 2);  // the ZIP64 field, with the place of the local header
    append(out, 24, 2);
    append(out, entry.size, 8);
    append(out, entry.size, 8);
    append(out, entry.offset, 8);
  }
  const std::size_t directory = out.size();
  append(out, 0x06064b50, 4);  // ZIP64 end record
  append(out, 44, 8);
  append(out, kVersion, 2);
  append(out, kVersion, 2);
  append(out, 0, 8);  // disks
  append(out, entries_.size(), 8);
  append(out, entries_.size(), 8);
  append(out, directory, 8);
  append(out, size_, 8);
  append(out, 0x07064b50, 4);  // where it lies
  append(out, 0, 4);
  append(out, size_ + directory, 8);
  append(out, 1, 4);
  append(out, 0x06054b50, 4);  // the end record of old readers
  append(out, 0, 4);
  append(out, entries_.size(), 2);
  append(out, entries_.size(), 2);
  append(out, directory, 4);
  append(out, kIn64, 4);
  append(out, 0, 2);
  return out;
}

}  // namespace ddpm
