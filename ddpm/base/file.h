// Files: bounded reads of untrusted ones, durable writes of ours, one owner a folder.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

#include "ddpm/base/result.h"

namespace ddpm {

/// The whole regular file. Failure (io) when it is missing, a directory, a device, unreadable or
/// longer than `max_bytes`; never blocks on a pipe.
Result<std::string> read_file(const std::filesystem::path& path,
                              std::uint64_t max_bytes = std::uint64_t{16} << 30);

/// Writes and fsyncs `path` in place. Throws Error (resources) that names path and bytes; a partial
/// file is removed.
void write_file_synced(const std::filesystem::path& path, std::string_view bytes);

/// Replaces `path` so that a reader or a power cut sees the old or the new content, never a
/// mixture: writes path.tmp-<pid>, fsyncs, renames, fsyncs the folder. Throws Error (resources).
void write_file_atomic(const std::filesystem::path& path, std::string_view bytes);

/// Makes earlier renames and file creations in `folder` durable. Throws Error (resources).
void sync_folder(const std::filesystem::path& folder);

/// rename(2) that throws Error (resources) with both names.
void rename_path(const std::filesystem::path& from, const std::filesystem::path& to);

/// mkdir -p that throws Error (resources) with the name.
void make_folders(const std::filesystem::path& folder);

/// Exclusive use of a folder by one process (flock on folder/.lock). Throws Error (usage) that
/// names the holder's pid and host when another process has it. The kernel frees it when the
/// process ends, however it ends.
class FolderLock {
 public:
  explicit FolderLock(const std::filesystem::path& folder);
  ~FolderLock();
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;

 private:
  int fd_ = -1;
};

/// SHA-256 (FIPS 180-4) as 64 hexadecimal digits.
std::string sha256_hex(std::string_view bytes);

}  // namespace ddpm
