// ZIP archives (APPNOTE 6.3, ZIP64 included) of stored or deflated entries: what .npz files are.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "ddpm/base/result.h"

namespace ddpm {

struct ZipEntry {
  std::string name;
  std::uint64_t packed = 0, size = 0;  // bytes in the archive, bytes of the content
  std::uint64_t offset = 0;            // of the local header
  std::uint32_t crc = 0;
  int method = 0;  // 0 stored, 8 deflated
};

/// The entries of the central directory, in its order. Every size is checked against the archive's
/// own length, and against deflate's best ratio, before anything is allocated. Failure (corrupt)
/// names `name`.
Result<std::vector<ZipEntry>> list_zip(std::string_view bytes, const std::string& name);

/// The content of an entry that list_zip() gave for the same bytes, its CRC-32 checked. Failure
/// (corrupt) when the data is broken, (unsupported) for another method or an encrypted entry.
Result<std::string> read_zip_entry(std::string_view bytes, const ZipEntry& entry,
                                   const std::string& name);

/// An archive of stored entries, dated 1980-01-01: the same contents give the same bytes. Names and
/// contents below 4 GiB (BugError otherwise).
std::string write_zip(const std::vector<std::pair<std::string, std::string>>& entries);

}  // namespace ddpm
