// A file that grows beside its final place, so that what stands there is always whole.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string_view>

namespace ddpm::cli {

/// PATH.part, which finish() makes PATH. One process at a time has it (flock). Without finish() the
/// file is removed, unless keep() was called. All functions throw Error (resources) when the disk
/// fails them.
class PartFile {
 public:
  /// Opens PATH.part with what it holds, or makes it. Throws Error (usage) when another process
  /// has it.
  explicit PartFile(std::filesystem::path path);
  ~PartFile();
  PartFile(const PartFile&) = delete;
  PartFile& operator=(const PartFile&) = delete;

  std::uint64_t size() const { return size_; }
  /// Cuts the file to `size` bytes, at most those it has; append() goes on there.
  void truncate(std::uint64_t size);
  void append(std::string_view bytes);
  /// Replaces bytes that are there already.
  void overwrite(std::uint64_t at, std::string_view bytes);
  /// Everything so far survives a power cut.
  void sync();
  /// Leaves PATH.part behind when the object goes, for another process to go on with.
  void keep() { keep_ = true; }
  /// PATH.part becomes PATH, durably.
  void finish();

 private:
  void write(std::uint64_t at, std::string_view bytes);

  std::filesystem::path path_, part_;
  std::uint64_t size_ = 0;
  int fd_ = -1;
  bool keep_ = false;
};

}  // namespace ddpm::cli
