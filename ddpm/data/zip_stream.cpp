#include "ddpm/data/zip_stream.h"

#include "ddpm/base/bytes.h"
#include "ddpm/base/error.h"

namespace ddpm {
namespace {

constexpr std::uint32_t kIn64 = 0xFFFFFFFF;  // the value stands in the ZIP64 field
constexpr int kVersion = 45;                 // the first with ZIP64
constexpr std::size_t kCrcPlace = 14;        // in a local header

// What local header and central directory share. `extra`: bytes of the extra field.
void append_common(std::string& out, const std::string& name, std::uint32_t crc, int extra) {
  append_little_endian(out, kVersion, 2);
  append_little_endian(out, 0, 4);  // no flags, stored
  append_little_endian(out, 0x210000,
                       4);  // 00:00:00, 1980-01-01: the same contents give the same bytes
  append_little_endian(out, crc, 4);
  append_little_endian(out, kIn64, 4);
  append_little_endian(out, kIn64, 4);
  append_little_endian(out, name.size(), 2);
  append_little_endian(out, extra, 2);
}

}  // namespace

std::string ZipStream::begin_entry(const std::string& name, std::uint64_t size, std::uint32_t crc) {
  DDPM_CHECK(name.size() < 65'536);
  entries_.push_back({name, size, size_, crc});
  std::string out;
  append_little_endian(out, 0x04034b50, 4);
  append_common(out, name, crc, 20);
  out += name;
  append_little_endian(out, 1, 2);  // the ZIP64 field: size, then size in the archive
  append_little_endian(out, 16, 2);
  append_little_endian(out, size, 8);
  append_little_endian(out, size, 8);
  size_ += out.size() + size;
  return out;
}

std::uint64_t ZipStream::crc_offset() const { return entries_.back().offset + kCrcPlace; }

void ZipStream::set_crc(std::uint32_t crc) { entries_.back().crc = crc; }

std::string ZipStream::end() const {
  std::string out;
  for (const Entry& entry : entries_) {
    append_little_endian(out, 0x02014b50, 4);
    append_little_endian(out, kVersion, 2);
    append_common(out, entry.name, entry.crc, 28);
    out.append(10, '\0');  // comment, disk, attributes
    append_little_endian(out, kIn64, 4);
    out += entry.name;
    append_little_endian(out, 1, 2);  // the ZIP64 field, with the place of the local header
    append_little_endian(out, 24, 2);
    append_little_endian(out, entry.size, 8);
    append_little_endian(out, entry.size, 8);
    append_little_endian(out, entry.offset, 8);
  }
  const std::size_t directory = out.size();
  append_little_endian(out, 0x06064b50, 4);  // ZIP64 end record
  append_little_endian(out, 44, 8);
  append_little_endian(out, kVersion, 2);
  append_little_endian(out, kVersion, 2);
  append_little_endian(out, 0, 8);  // disks
  append_little_endian(out, entries_.size(), 8);
  append_little_endian(out, entries_.size(), 8);
  append_little_endian(out, directory, 8);
  append_little_endian(out, size_, 8);
  append_little_endian(out, 0x07064b50, 4);  // where it lies
  append_little_endian(out, 0, 4);
  append_little_endian(out, size_ + directory, 8);
  append_little_endian(out, 1, 4);
  append_little_endian(out, 0x06054b50, 4);  // the end record of old readers
  append_little_endian(out, 0, 4);
  append_little_endian(out, entries_.size(), 2);
  append_little_endian(out, entries_.size(), 2);
  append_little_endian(out, directory, 4);
  append_little_endian(out, kIn64, 4);
  append_little_endian(out, 0, 2);
  return out;
}

}  // namespace ddpm
