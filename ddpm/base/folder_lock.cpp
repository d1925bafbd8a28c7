// FolderLock of file.h: flock(2) on folder/.lock, whose text tells other processes who has it.
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <system_error>

#include "ddpm/base/file.h"

namespace ddpm {
namespace {

// "pid 123 on host name". The text is only for people: the kernel's lock decides.
std::string self() {
  std::array<char, 256> host{};
  if (::gethostname(host.data(), host.size() - 1) != 0) host = {"an unknown host"};
  return fmt::format("pid {} on host {}", ::getpid(), host.data());
}

std::string holder(int fd) {
  std::array<char, 512> text{};
  const ssize_t got = ::pread(fd, text.data(), text.size(), 0);
  const std::string_view all(text.data(), got > 0 ? static_cast<std::size_t>(got) : 0);
  const std::string_view line = all.substr(0, all.find('\n'));
  return line.empty() ? "another process" : std::string(line);  // between its flock and its write
}

// The new text first and then the new length, so that a reader never sees an empty file.
bool write_holder(int fd) {
  const std::string text = self() + "\n";
  return ::pwrite(fd, text.data(), text.size(), 0) == static_cast<ssize_t>(text.size()) &&
         ::ftruncate(fd, static_cast<off_t>(text.size())) == 0;
}

int lock_now(int fd) {
  int result = ::flock(fd, LOCK_EX | LOCK_NB);
  while (result != 0 && errno == EINTR) result = ::flock(fd, LOCK_EX | LOCK_NB);
  return result;
}

}  // namespace

FolderLock::FolderLock(const std::filesystem::path& folder) {
  const std::filesystem::path path = folder / ".lock";
  const auto give_up = [&](int error) {
    if (fd_ >= 0) ::close(fd_);
    throw Error(ExitCode::resources, "[base] lock {}: {}", path.string(),
                std::generic_category().message(error));
  };
  fd_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (fd_ < 0) give_up(errno);
  if (lock_now(fd_) != 0) {
    if (errno != EWOULDBLOCK) give_up(errno);
    const std::string who = holder(fd_);
    ::close(fd_);
    throw Error(
        "[base] lock {}: in use by {}, expected a free folder; try another folder, or end that "
        "process",
        folder.string(), who);
  }
  if (!write_holder(fd_)) give_up(errno);
}

// The file stays: removing it would let a third process lock a new file beside a second one that
// waits on the old.
FolderLock::~FolderLock() { ::close(fd_); }

}  // namespace ddpm
