#include "ddpm/data/idx.h"

#include "ddpm/base/bytes.h"
#include "ddpm/base/file.h"
#include "ddpm/data/gunzip.h"

namespace ddpm {
namespace {

constexpr std::uint32_t kMaxSide = 65'535;
constexpr int kUnsignedByte = 0x08;

// Deflate codes at most 258 bytes in 2 bits.
constexpr std::uint64_t kMaxDeflateRatio = 1032;

std::uint32_t number(std::string_view bytes, std::size_t at) {
  return static_cast<std::uint32_t>(big_endian(bytes.substr(at, 4)));
}

std::size_t header_size(int rank) { return 4 + 4 * static_cast<std::size_t>(rank); }

Result<void> check_magic(std::uint32_t magic, int rank, const std::string& name) {
  const std::uint32_t expected = kUnsignedByte << 8 | static_cast<std::uint32_t>(rank);
  if (magic == expected) return {};
  const std::uint32_t type = magic >> 8;  // with the two zero bytes above it
  const bool known = type == 0x08 || type == 0x09 || (type >= 0x0B && type <= 0x0E);
  return fail(known ? FailureCode::unsupported : FailureCode::corrupt,
              "[data] {}: got IDX magic {:08x}, expected {:08x} (unsigned bytes, {} dimension{})",
              name, magic, expected, rank, rank == 1 ? "" : "s");
}

Result<void> check_dims(const std::vector<std::uint32_t>& dims, const std::string& name) {
  for (std::size_t i = 0; i < dims.size(); ++i) {
    if (dims[i] == 0 || (i > 0 && dims[i] > kMaxSide)) {
      return fail(FailureCode::corrupt, "[data] {}: got {} as dimension {}, expected {}", name,
                  dims[i], i, i == 0 ? "at least 1" : "1..65535");
    }
  }
  return {};
}

// `header` is as much of it as the file has.
Result<IdxArray> parse_header(std::string_view header, int rank, const std::string& name) {
  if (header.empty()) {
    return fail(FailureCode::need_more, "[data] {}: got an empty file, expected IDX", name);
  }
  if (header.size() >= 4) {
    if (auto magic = check_magic(number(header, 0), rank, name); !magic) {
      return tl::unexpected(magic.error());
    }
  }
  if (header.size() < header_size(rank)) {
    return fail(FailureCode::need_more,
                "[data] {}: got {} bytes, expected an IDX header of {}; is the file cut short?",
                name, header.size(), header_size(rank));
  }
  IdxArray array;
  for (int i = 0; i < rank; ++i) array.dims.push_back(number(header, 4 + 4 * i));
  if (auto dims = check_dims(array.dims, name); !dims) return tl::unexpected(dims.error());
  return array;
}

// Below 2^64: N < 2^32 and sides < 2^16.
std::uint64_t value_count(const IdxArray& array) {
  std::uint64_t count = 1;
  for (const std::uint32_t dim : array.dims) count *= dim;
  return count;
}

tl::unexpected<Failure> cut_short(const IdxArray& array, std::uint64_t got,
                                  const std::string& name) {
  std::string dims;
  for (const std::uint32_t dim : array.dims)
    dims += fmt::format("{}{}", dims.empty() ? "" : " x ", dim);
  return fail(FailureCode::need_more,
              "[data] {}: got {} bytes of values, expected {} ({}); is the file cut short?", name,
              got, value_count(array), dims);
}

tl::unexpected<Failure> too_long(const IdxArray& array, const std::string& name) {
  return fail(FailureCode::corrupt, "[data] {}: got more bytes of values than the expected {}",
              name, value_count(array));
}

Result<IdxArray> parse_plain(std::string_view bytes, int rank, const std::string& name) {
  auto array = parse_header(bytes.substr(0, header_size(rank)), rank, name);
  if (!array) return array;
  const std::string_view values = bytes.substr(header_size(rank));
  if (values.size() < value_count(*array)) return cut_short(*array, values.size(), name);
  if (values.size() > value_count(*array)) return too_long(*array, name);
  array->values = values;
  return array;
}

// The header says how much may be inflated; what the file's bytes can't hold is not even allocated.
Result<IdxArray> parse_gzip(std::string_view bytes, int rank, const std::string& name) {
  Gunzip gunzip(bytes, name);
  std::string header(header_size(rank), '\0');
  const auto head = gunzip.read(header);
  if (!head) return tl::unexpected(head.error());
  auto array = parse_header(std::string_view(header).substr(0, *head), rank, name);
  if (!array) return array;
  if (value_count(*array) > kMaxDeflateRatio * bytes.size()) {
    return fail(
        FailureCode::need_more,
        "[data] {}: got {} compressed bytes, which can't hold the expected {} values; is the "
        "file cut short?",
        name, bytes.size(), value_count(*array));
  }
  array->values.resize(value_count(*array));
  const auto got = gunzip.read(array->values);
  if (!got) return tl::unexpected(got.error());
  if (*got < array->values.size()) return cut_short(*array, *got, name);
  char more = 0;
  const auto after = gunzip.read({&more, 1});
  if (!after) return tl::unexpected(after.error());
  if (*after != 0 || gunzip.left_over() != 0) return too_long(*array, name);
  if (!gunzip.finished()) {
    return fail(FailureCode::need_more, "[data] {}: the gzip data end before their checksum", name);
  }
  return array;
}

}  // namespace

Result<IdxArray> parse_idx(std::string_view bytes, int rank, const std::string& name) {
  return is_gzip(bytes) ? parse_gzip(bytes, rank, name) : parse_plain(bytes, rank, name);
}

Result<IdxArray> read_idx(const std::filesystem::path& path, int rank) {
  return read_file(path).and_then(
      [&](const std::string& bytes) { return parse_idx(bytes, rank, path.string()); });
}

}  // namespace ddpm
