#include "ddpm/cli/npy.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <bit>
#include <cerrno>
#include <cstring>

#include "ddpm/base/error.h"
#include "ddpm/base/file.h"

namespace ddpm::cli {
namespace {

std::uint64_t product(const std::vector<std::int64_t>& shape) {
  std::uint64_t result = 1;
  for (const std::int64_t n : shape) result *= static_cast<std::uint64_t>(n);
  return result;
}

[[noreturn]] void throw_errno(const char* what, const std::filesystem::path& path) {
  throw Error(ExitCode::resources, "[cli] {} {}: {}; try another disk", what, path.string(),
              std::strerror(errno));
}

}  // namespace

std::string npy_header(const std::vector<std::int64_t>& shape) {
  std::string axes;
  for (const std::int64_t n : shape) axes += fmt::format("{}, ", n);
  if (shape.size() > 1) axes.resize(axes.size() - 2);  // Python's tuples: (3,) but (3, 4)
  if (shape.size() == 1) axes.resize(axes.size() - 1);
  std::string dictionary =
      fmt::format("{{'descr': '<f4', 'fortran_order': False, 'shape': ({}), }}", axes);
  constexpr std::size_t kBefore = 10;  // magic, version, length
  dictionary.append(63 - (kBefore + dictionary.size()) % 64, ' ');
  dictionary += '\n';
  std::string out("\x93NUMPY\x01\x00", 8);
  out += static_cast<char>(dictionary.size() & 0xFF);
  out += static_cast<char>(dictionary.size() >> 8);
  return out + dictionary;
}

NpyWriter::NpyWriter(std::filesystem::path path, const std::vector<std::int64_t>& shape)
    : path_(std::move(path)),
      temporary_(path_.string() + fmt::format(".tmp-{}", getpid())),
      left_(product(shape)) {
  fd_ = open(temporary_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (fd_ < 0) throw_errno("make", temporary_);
  try {
    const std::string header = npy_header(shape);
    write(header.data(), header.size());
  } catch (...) {  // the destructor won't run
    close(fd_);
    unlink(temporary_.c_str());
    throw;
  }
}

NpyWriter::~NpyWriter() {
  if (fd_ < 0) return;
  close(fd_);
  unlink(temporary_.c_str());
}

void NpyWriter::write(const char* bytes, std::size_t size) {
  while (size > 0) {
    const ssize_t n = ::write(fd_, bytes, size);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) throw_errno("write", temporary_);
    bytes += n;
    size -= static_cast<std::size_t>(n);
  }
}

void NpyWriter::append(std::span<const float> values) {
  static_assert(std::endian::native == std::endian::little);
  DDPM_CHECK(values.size() <= left_, "{} values, {} left", values.size(), left_);
  write(reinterpret_cast<const char*>(values.data()), values.size_bytes());
  left_ -= values.size();
}

void NpyWriter::finish() {
  DDPM_CHECK(left_ == 0, "{} values missing", left_);
  if (fsync(fd_) != 0) throw_errno("write", temporary_);
  rename_path(temporary_, path_);
  close(fd_);
  fd_ = -1;
  sync_folder(path_.has_parent_path() ? path_.parent_path() : ".");
}

}  // namespace ddpm::cli
