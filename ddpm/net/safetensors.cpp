#include "ddpm/net/safetensors.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

#include "ddpm/base/bytes.h"
#include "ddpm/net/json_writer.h"
#include "ddpm/net/safetensors_header.h"

namespace ddpm {
namespace {

constexpr std::uint64_t kMaxFile = std::uint64_t{16} << 30;

// A regular file opened for reading. Only what is asked for is read, so that a large model is never
// held twice.
class InputFile {
 public:
  explicit InputFile(const std::filesystem::path& path)
      : name_(path.string()),
        fd_(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)) {}
  ~InputFile() {
    if (fd_ >= 0) close(fd_);
  }
  InputFile(const InputFile&) = delete;
  InputFile& operator=(const InputFile&) = delete;

  Result<std::uint64_t> size() const {
    struct stat info = {};
    if (fd_ < 0 || fstat(fd_, &info) != 0) {
      return fail(FailureCode::io, "[net] {}: {}", name_, std::generic_category().message(errno));
    }
    if (!S_ISREG(info.st_mode)) {
      return fail(FailureCode::io, "[net] {}: got a {}, expected a regular file", name_,
                  S_ISDIR(info.st_mode) ? "folder" : "device or pipe");
    }
    const auto bytes = static_cast<std::uint64_t>(info.st_size);
    if (bytes <= kMaxFile) return bytes;
    return fail(FailureCode::unsupported, "[net] {}: got {} bytes, expected at most {}", name_,
                bytes, kMaxFile);
  }

  // Bytes [at, at + count), which size() said are there.
  Result<std::string> read(std::uint64_t at, std::uint64_t count) const {
    std::string bytes(count, '\0');
    std::size_t done = 0;
    while (done < count) {
      const ssize_t got =
          pread(fd_, bytes.data() + done, count - done, static_cast<off_t>(at + done));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0)
        return fail(FailureCode::io, "[net] {}: {}", name_, std::generic_category().message(errno));
      if (got == 0) {
        return fail(FailureCode::io, "[net] {}: byte {}: the file shrank while it was read", name_,
                    at + done);
      }
      done += static_cast<std::size_t>(got);
    }
    return bytes;
  }

  const std::string& name() const { return name_; }

 private:
  std::string name_;
  int fd_;
};

std::string entry_json(const std::string& name, const RawTensor& tensor, std::size_t begin) {
  return fmt::format(R"({}:{{"dtype":"{}","shape":[{}],"data_offsets":[{},{}]}})", quote_json(name),
                     to_string(tensor.dtype), fmt::join(tensor.shape, ","), begin,
                     begin + tensor.bytes.size());
}

std::string metadata_json(const std::map<std::string, std::string>& metadata) {
  std::vector<std::string> members;
  for (const auto& [key, value] : metadata)
    members.push_back(quote_json(key) + ":" + quote_json(value));
  return fmt::format(R"("__metadata__":{{{}}})", fmt::join(members, ","));
}

void check_tensor(const std::string& name, const RawTensor& tensor) {
  const bool natural = std::ranges::all_of(tensor.shape, [](std::int64_t d) { return d >= 0; });
  DDPM_CHECK(natural && tensor_bytes(tensor.dtype, tensor.shape) == tensor.bytes.size(),
             "{}: {} bytes", name, tensor.bytes.size());
  DDPM_CHECK(name.size() <= kMaxTensorName && name != "__metadata__", "{}", name);
}

using Entry = std::pair<const std::string, RawTensor>;

// Alignment descending: I64 F64 F32 I32 BF16 F16 U8 (the reference's order of types), then the
// name.
std::vector<const Entry*> in_file_order(const TensorFile& file) {
  constexpr DType kOrder[] = {DType::i64,  DType::f64, DType::f32, DType::i32,
                              DType::bf16, DType::f16, DType::u8};
  std::vector<const Entry*> order;
  for (const DType type : kOrder) {
    for (const Entry& entry : file.tensors) {
      if (entry.second.dtype == type) order.push_back(&entry);
    }
  }
  return order;
}

std::string header_json(const TensorFile& file, const std::vector<const Entry*>& order) {
  std::vector<std::string> members;
  if (!file.metadata.empty()) members.push_back(metadata_json(file.metadata));
  std::size_t at = 0;
  for (const Entry* entry : order) {
    check_tensor(entry->first, entry->second);
    members.push_back(entry_json(entry->first, entry->second, at));
    at += entry->second.bytes.size();
  }
  std::string json = fmt::format("{{{}}}", fmt::join(members, ","));
  json.resize((json.size() + 7) / 8 * 8, ' ');
  // What we write must be readable; names and metadata may be a user's, and not UTF-8.
  const auto readable = parse_tensor_header(json, at, "encode_safetensors");
  DDPM_CHECK(readable, "{}", readable.error().message);
  return json;
}

}  // namespace

Result<TensorFile> parse_safetensors(std::string_view bytes, const std::string& name) {
  const auto length = header_length(bytes.substr(0, 8), bytes.size(), name);
  if (!length) return tl::unexpected(length.error());
  const std::string_view data = bytes.substr(8 + *length);
  auto header = parse_tensor_header(bytes.substr(8, *length), data.size(), name);
  if (!header) return tl::unexpected(std::move(header.error()));
  TensorFile file{.tensors = {}, .metadata = std::move(header->metadata)};
  for (TensorPlace& p : header->places) {
    file.tensors[p.name] = {p.dtype, std::move(p.shape),
                            std::string(data.substr(p.begin, p.end - p.begin))};
  }
  return file;
}

Result<TensorFile> read_safetensors(const std::filesystem::path& path) {
  const InputFile input(path);
  const auto size = input.size();
  if (!size) return tl::unexpected(size.error());
  const auto start = input.read(0, std::min<std::uint64_t>(8, *size));
  if (!start) return tl::unexpected(start.error());
  const auto length = header_length(*start, *size, input.name());
  if (!length) return tl::unexpected(length.error());
  const auto json = input.read(8, *length);
  if (!json) return tl::unexpected(json.error());
  auto header = parse_tensor_header(*json, *size - 8 - *length, input.name());
  if (!header) return tl::unexpected(std::move(header.error()));
  TensorFile file{.tensors = {}, .metadata = std::move(header->metadata)};
  for (TensorPlace& p : header->places) {
    auto data = input.read(8 + *length + p.begin, p.end - p.begin);
    if (!data) return tl::unexpected(std::move(data.error()));
    file.tensors[p.name] = {p.dtype, std::move(p.shape), std::move(*data)};
  }
  return file;
}

std::string encode_safetensors(const TensorFile& file) {
  const std::vector<const Entry*> order = in_file_order(file);
  const std::string json = header_json(file, order);
  std::size_t total = 8 + json.size();
  for (const Entry* entry : order) total += entry->second.bytes.size();
  std::string bytes;
  bytes.reserve(total);
  append_little_endian(bytes, json.size(), 8);
  bytes += json;
  for (const Entry* entry : order) bytes += entry->second.bytes;
  return bytes;
}

}  // namespace ddpm
