#include "ddpm/base/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <system_error>
#include <utility>

namespace ddpm {
namespace {

// What errno means; strerror may not be called from several threads.
std::string reason(int error) { return std::generic_category().message(error); }

// Repeats a system call that a signal interrupted: the trainer's handlers are installed without
// SA_RESTART.
template <class Call>
auto retry(Call call) {
  auto result = call();
  while (result < 0 && errno == EINTR) result = call();
  return result;
}

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;

  int get() const { return fd_; }

  // Network file systems report a full disk only here.
  int close() { return ::close(std::exchange(fd_, -1)); }

 private:
  int fd_;
};

Descriptor open_file(const std::filesystem::path& path, int flags) {
  return Descriptor(
      retry([&] { return ::open(path.c_str(), flags | O_CLOEXEC | O_NOCTTY, 0666); }));
}

const char* kind_of(mode_t mode) {
  if (S_ISREG(mode)) return "a regular file";
  if (S_ISDIR(mode)) return "a directory";
  if (S_ISFIFO(mode)) return "a pipe";
  if (S_ISSOCK(mode)) return "a socket";
  if (S_ISCHR(mode) || S_ISBLK(mode)) return "a device";
  return "a special file";
}

std::optional<mode_t> mode_of(const std::filesystem::path& path) {
  struct stat info;
  if (::stat(path.c_str(), &info) != 0) return std::nullopt;
  return info.st_mode;
}

tl::unexpected<Failure> open_failure(const std::filesystem::path& path, int error) {
  const auto mode = mode_of(path);
  if (error == ENOENT) {
    return fail(FailureCode::io, "[base] read {}: no such file", path.string());
  }
  if (mode && !S_ISREG(*mode)) {  // a socket can't even be opened
    return fail(FailureCode::io, "[base] read {}: got {}, expected a regular file", path.string(),
                kind_of(*mode));
  }
  return fail(FailureCode::io, "[base] read {}: {}", path.string(), reason(error));
}

tl::unexpected<Failure> too_long(const std::filesystem::path& path, std::uint64_t max_bytes) {
  return fail(FailureCode::io, "[base] read {}: got a longer file, expected at most {} bytes",
              path.string(), max_bytes);
}

// `size` is what fstat said; the file may have grown since, and files of /proc say 0.
Result<std::string> read_to_end(int fd, const std::filesystem::path& path, std::uint64_t size,
                                std::uint64_t max_bytes) {
  std::string bytes(size + 1, '\0');  // one more, so that the end is seen without a second buffer
  std::size_t used = 0;
  for (;;) {
    if (used == bytes.size()) bytes.resize(std::max(2 * used, std::size_t{1} << 16));
    const ssize_t got = retry([&] { return ::read(fd, &bytes[used], bytes.size() - used); });
    if (got < 0) {
      return fail(FailureCode::io, "[base] read {}: {} after {} of {} bytes", path.string(),
                  reason(errno), used, size);
    }
    if (got == 0) break;
    used += static_cast<std::size_t>(got);
    if (used > max_bytes) return too_long(path, max_bytes);
  }
  bytes.resize(used);
  return bytes;
}

// The problem, or none.
std::optional<std::string> write_and_sync(Descriptor file, std::string_view bytes) {
  std::size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t got =
        retry([&] { return ::write(file.get(), bytes.data() + done, bytes.size() - done); });
    if (got < 0) return fmt::format("{} after {} bytes", reason(errno), done);
    done += static_cast<std::size_t>(got);
  }
  if (retry([&] { return ::fsync(file.get()); }) != 0 || file.close() != 0) return reason(errno);
  return std::nullopt;
}

void refuse_special(const std::filesystem::path& path) {
  const auto mode = mode_of(path);
  if (mode && !S_ISREG(*mode)) {
    throw Error(ExitCode::resources,
                "[base] write {}: got {}, expected a regular file or a new name; try another name",
                path.string(), kind_of(*mode));
  }
}

}  // namespace

Result<std::string> read_file(const std::filesystem::path& path, std::uint64_t max_bytes) {
  const Descriptor file = open_file(path, O_RDONLY | O_NONBLOCK);  // a pipe must not block
  if (file.get() < 0) return open_failure(path, errno);
  struct stat info;
  if (::fstat(file.get(), &info) != 0) {
    return fail(FailureCode::io, "[base] read {}: {}", path.string(), reason(errno));
  }
  if (!S_ISREG(info.st_mode)) {
    return fail(FailureCode::io, "[base] read {}: got {}, expected a regular file", path.string(),
                kind_of(info.st_mode));
  }
  const auto size = static_cast<std::uint64_t>(info.st_size);
  if (size > max_bytes) return too_long(path, max_bytes);
  return read_to_end(file.get(), path, size, max_bytes);
}

void write_file_synced(const std::filesystem::path& path, std::string_view bytes) {
  refuse_special(path);
  Descriptor file = open_file(path, O_WRONLY | O_CREAT | O_TRUNC | O_NONBLOCK);
  if (file.get() < 0) {
    throw Error(ExitCode::resources, "[base] write {} ({} bytes): {}", path.string(), bytes.size(),
                reason(errno));
  }
  const auto problem = write_and_sync(std::move(file), bytes);
  if (!problem) return;
  ::unlink(path.c_str());
  throw Error(ExitCode::resources, "[base] write {} ({} bytes): {}; try a disk with more room",
              path.string(), bytes.size(), *problem);
}

void write_file_atomic(const std::filesystem::path& path, std::string_view bytes) {
  refuse_special(path);  // rename() would replace even /dev/null
  std::filesystem::path temporary = path;
  temporary += fmt::format(".tmp-{}", ::getpid());
  write_file_synced(temporary, bytes);
  try {
    rename_path(temporary, path);
  } catch (const Error&) {
    ::unlink(temporary.c_str());
    throw;
  }
  sync_folder(path.has_parent_path() ? path.parent_path() : ".");
}

void sync_folder(const std::filesystem::path& folder) {
  const Descriptor file = open_file(folder, O_RDONLY | O_DIRECTORY);
  const bool synced = file.get() >= 0 && retry([&] { return ::fsync(file.get()); }) == 0;
  // EINVAL: a file system without this notion (some network mounts), where nothing better can be
  // done.
  if (synced || (file.get() >= 0 && errno == EINVAL)) return;
  throw Error(ExitCode::resources, "[base] sync {}: {}", folder.string(), reason(errno));
}

void rename_path(const std::filesystem::path& from, const std::filesystem::path& to) {
  if (::rename(from.c_str(), to.c_str()) == 0) return;
  throw Error(ExitCode::resources, "[base] rename {} to {}: {}", from.string(), to.string(),
              reason(errno));
}

void make_folders(const std::filesystem::path& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (!error && !std::filesystem::is_directory(folder, error) && !error) {
    error = std::make_error_code(std::errc::not_a_directory);
  }
  if (!error) return;
  throw Error(ExitCode::resources, "[base] make folder {}: {}", folder.string(), error.message());
}

}  // namespace ddpm
