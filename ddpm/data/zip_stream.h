// A ZIP64 archive of stored entries, written from front to back: for contents that don't fit into
// memory. The bytes between the headers are the caller's to write.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace ddpm {

class ZipStream {
 public:
  /// What stands before an entry's content of exactly `size` bytes. Where its CRC is not known yet,
  /// 0: set_crc() before end(), and put it into the file at crc_offset().
  std::string begin_entry(const std::string& name, std::uint64_t size, std::uint32_t crc = 0);

  /// Of the last entry: where its header has the CRC, four bytes, the lowest first.
  std::uint64_t crc_offset() const;
  void set_crc(std::uint32_t crc);

  /// What stands after the last entry's content.
  std::string end() const;

 private:
  struct Entry {
    std::string name;
    std::uint64_t size, offset;
    std::uint32_t crc;
  };

  std::vector<Entry> entries_;
  std::uint64_t size_ = 0;  // of the archive, the contents begun included
};

}  // namespace ddpm
