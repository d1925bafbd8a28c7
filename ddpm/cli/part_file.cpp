#include "ddpm/cli/part_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "ddpm/base/error.h"
#include "ddpm/base/file.h"

namespace ddpm::cli {
namespace {

[[noreturn]] void throw_errno(const char* what, const std::filesystem::path& path) {
  throw Error(ExitCode::resources, "[cli] {} {}: {}; try another disk", what, path.string(),
              std::strerror(errno));
}

// The process that has the lock may have renamed the file between our open() and flock(): then what
// we hold is no longer at its name.
bool still_there(int fd, const std::filesystem::path& path) {
  struct stat mine, there;
  return fstat(fd, &mine) == 0 && stat(path.c_str(), &there) == 0 && mine.st_ino == there.st_ino &&
         mine.st_dev == there.st_dev;
}

int open_locked(const std::filesystem::path& path) {
  for (;;) {
    const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
    if (fd < 0) throw_errno("make", path);
    const bool locked = flock(fd, LOCK_EX | LOCK_NB) == 0;
    if (locked && still_there(fd, path)) return fd;
    close(fd);
    if (!locked) {
      throw Error("[cli] write {}: another process is at it; try another -o, or end that process",
                  path.string());
    }
  }
}

}  // namespace

PartFile::PartFile(std::filesystem::path path)
    : path_(std::move(path)), part_(path_.string() + ".part"), fd_(open_locked(part_)) {
  struct stat info;
  if (fstat(fd_, &info) == 0) size_ = static_cast<std::uint64_t>(info.st_size);
}

PartFile::~PartFile() {
  if (fd_ < 0) return;
  if (!keep_) unlink(part_.c_str());
  close(fd_);
}

void PartFile::truncate(std::uint64_t size) {
  DDPM_CHECK(size <= size_, "{} of {} bytes", size, size_);
  if (ftruncate(fd_, static_cast<off_t>(size)) != 0) throw_errno("cut", part_);
  size_ = size;
}

void PartFile::append(std::string_view bytes) {
  write(size_, bytes);
  size_ += bytes.size();
}

void PartFile::overwrite(std::uint64_t at, std::string_view bytes) {
  DDPM_CHECK(at <= size_ && bytes.size() <= size_ - at, "{} bytes at {} of {}", bytes.size(), at,
             size_);
  write(at, bytes);
}

void PartFile::write(std::uint64_t at, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = pwrite(fd_, bytes.data(), bytes.size(), static_cast<off_t>(at));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) throw_errno("write", part_);
    bytes.remove_prefix(static_cast<std::size_t>(n));
    at += static_cast<std::uint64_t>(n);
  }
}

void PartFile::sync() {
  if (fsync(fd_) != 0) throw_errno("write", part_);
}

void PartFile::finish() {
  sync();
  rename_path(part_, path_);
  close(fd_);
  fd_ = -1;
  sync_folder(path_.has_parent_path() ? path_.parent_path() : ".");
}

}  // namespace ddpm::cli
