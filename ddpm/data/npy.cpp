#include "ddpm/data/npy.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstring>
#include <optional>

#include "ddpm/base/bytes.h"
#include "ddpm/base/zip.h"

namespace ddpm {
namespace {

static_assert(std::endian::native == std::endian::little);

struct TypeRow {
  NpyType type;
  const char* descr;  // as the header has it
  const char* name;
  std::size_t size;
};

constexpr TypeRow kTypes[] = {
    {NpyType::u8, "|u1", "uint8", 1},    {NpyType::i32, "<i4", "int32", 4},
    {NpyType::i64, "<i8", "int64", 8},   {NpyType::f16, "<f2", "float16", 2},
    {NpyType::f32, "<f4", "float32", 4}, {NpyType::f64, "<f8", "float64", 8},
};
constexpr std::size_t kMaxAxes = 8;

const TypeRow& row_of(NpyType type) { return kTypes[static_cast<std::size_t>(type)]; }

// The value after `'key':` in the header's dictionary, blanks skipped.
std::optional<std::string_view> value_of(std::string_view header, std::string_view key) {
  const std::size_t at = header.find(fmt::format("'{}'", key));
  if (at == std::string_view::npos) return {};
  std::string_view rest = header.substr(at + key.size() + 2);
  rest.remove_prefix(std::min(rest.find_first_not_of(" :"), rest.size()));
  return rest;
}

// "(3, 4), ..." -> {3, 4}; none when it isn't a tuple of lengths.
std::optional<std::vector<std::int64_t>> tuple_of(std::string_view text) {
  const std::size_t end = text.find(')');
  if (text.empty() || text[0] != '(' || end == std::string_view::npos) return {};
  std::string_view rest = text.substr(1, end - 1);
  std::vector<std::int64_t> shape;
  while (true) {
    rest.remove_prefix(std::min(rest.find_first_not_of(' '), rest.size()));
    if (rest.empty()) return shape;
    std::int64_t n = 0;
    const auto [stop, error] = std::from_chars(rest.data(), rest.data() + rest.size(), n);
    if (error != std::errc() || n < 0 || shape.size() == kMaxAxes) return {};
    shape.push_back(n);
    rest.remove_prefix(static_cast<std::size_t>(stop - rest.data()));
    if (!rest.empty() && rest[0] == ',')
      rest.remove_prefix(1);
    else if (rest.find_first_not_of(' ') != std::string_view::npos)
      return {};
  }
}

// Bytes of an array of this shape; none when it is beyond 2^62.
std::optional<std::uint64_t> byte_size(const std::vector<std::int64_t>& shape,
                                       std::size_t element) {
  std::uint64_t size = element;
  for (const std::int64_t n : shape) {
    if (n != 0 && size > (std::uint64_t{1} << 62) / static_cast<std::uint64_t>(n)) return {};
    size *= static_cast<std::uint64_t>(n);
  }
  return size;
}

struct Header {
  const TypeRow* type = nullptr;
  bool fortran = false;
  std::vector<std::int64_t> shape;
  std::size_t data = 0;  // where the values begin
};

Result<std::string_view> header_text(std::string_view bytes, const std::string& name,
                                     std::size_t& data) {
  if (bytes.substr(0, 6) != std::string_view("\x93NUMPY", 6)) {
    return fail(FailureCode::corrupt, "[data] {}: no .npy file: its first bytes are not \\x93NUMPY",
                name);
  }
  const int major = bytes.size() > 6 ? bytes[6] : 1;
  if (major < 1 || major > 3) {
    return fail(FailureCode::unsupported, "[data] {}: .npy format {}, expected 1 to 3", name,
                major);
  }
  const std::size_t start = major == 1 ? 10 : 12;
  const std::size_t length = bytes.size() < start ? 0 : little_endian(bytes.substr(8, start - 8));
  if (bytes.size() < start || length > bytes.size() - start) {
    return fail(FailureCode::need_more, "[data] {}: cut short in its .npy header", name);
  }
  data = start + length;
  return bytes.substr(start, length);
}

Result<Header> parse_header(std::string_view bytes, const std::string& name) {
  Header h;
  const auto text = header_text(bytes, name, h.data);
  if (!text) return tl::unexpected(text.error());
  const auto descr = value_of(*text, "descr"), order = value_of(*text, "fortran_order");
  const auto shape = value_of(*text, "shape");
  const auto axes = shape ? tuple_of(*shape) : std::nullopt;
  const bool in_order = order && (order->rfind("True", 0) == 0 || order->rfind("False", 0) == 0);
  if (!descr || !in_order || !axes || descr->empty()) {
    return fail(FailureCode::corrupt, "[data] {}: its .npy header can't be read", name);
  }
  for (const TypeRow& row : kTypes) {
    if (descr->rfind(fmt::format("'{}'", row.descr), 0) == 0) h.type = &row;
  }
  if (h.type == nullptr) {
    return fail(FailureCode::unsupported,
                "[data] {}: values of type {}, expected little-endian float16, float32, float64, "
                "uint8, int32 or int64",
                name, descr->substr(0, std::min<std::size_t>(descr->find(',', 0), 20)));
  }
  h.shape = *axes;
  h.fortran = order->front() == 'T' && h.shape.size() > 1;
  return h;
}

std::string transposed(std::string_view columns, const std::vector<std::int64_t>& shape,
                       std::size_t element) {
  const auto rows = static_cast<std::size_t>(shape[0]), width = static_cast<std::size_t>(shape[1]);
  std::string out(columns.size(), '\0');
  if (out.empty()) return out;  // one length may be huge where the other is 0
  for (std::size_t i = 0; i < rows; ++i) {
    for (std::size_t j = 0; j < width; ++j) {
      std::memcpy(&out[(i * width + j) * element], &columns[(j * rows + i) * element], element);
    }
  }
  return out;
}

double half_to_double(std::uint16_t half) {
  const int exponent = half >> 10 & 31, fraction = half & 1023;
  const double sign = half >> 15 != 0 ? -1 : 1;
  if (exponent == 31) return fraction != 0 ? NAN : sign * INFINITY;
  if (exponent == 0) return sign * std::ldexp(fraction, -24);
  return sign * std::ldexp(1024 + fraction, exponent - 25);
}

template <class T>
T load(const std::string& bytes, std::size_t i) {
  T value;
  std::memcpy(&value, bytes.data() + i * sizeof(T), sizeof(T));
  return value;
}

template <class T>
NpyArray from_values(NpyType type, std::vector<std::int64_t> shape, const std::vector<T>& values) {
  NpyArray array{type, std::move(shape), {}};
  DDPM_CHECK(array.size() == values.size(), "{} and {}", array.size(), values.size());
  array.bytes.assign(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T));
  return array;
}

}  // namespace

const char* to_string(NpyType type) { return row_of(type).name; }

std::size_t element_size(NpyType type) { return row_of(type).size; }

std::size_t NpyArray::size() const {
  std::size_t n = 1;
  for (const std::int64_t axis : shape) n *= static_cast<std::size_t>(axis);
  return n;
}

double NpyArray::at(std::size_t i) const {
  switch (type) {
    case NpyType::u8:
      return load<std::uint8_t>(bytes, i);
    case NpyType::i32:
      return load<std::int32_t>(bytes, i);
    case NpyType::i64:
      return static_cast<double>(load<std::int64_t>(bytes, i));
    case NpyType::f16:
      return half_to_double(load<std::uint16_t>(bytes, i));
    case NpyType::f32:
      return load<float>(bytes, i);
    case NpyType::f64:
      return load<double>(bytes, i);
  }
  return 0;
}

Result<NpyArray> parse_npy(std::string_view bytes, const std::string& name) {
  const auto header = parse_header(bytes, name);
  if (!header) return tl::unexpected(header.error());
  const auto size = byte_size(header->shape, header->type->size);
  const std::string_view values = bytes.substr(header->data);
  if (!size || *size != values.size()) {
    const bool less = !size || values.size() < *size;
    return fail(less ? FailureCode::need_more : FailureCode::corrupt,
                "[data] {}: got {} bytes of values, expected an array of shape ({}), {}: {}", name,
                values.size(), fmt::join(header->shape, ", "), header->type->name,
                less ? "the file is cut short" : "something follows it");
  }
  if (header->fortran && header->shape.size() > 2) {
    return fail(FailureCode::unsupported, "[data] {}: {} axes in Fortran order, expected at most 2",
                name, header->shape.size());
  }
  return NpyArray{header->type->type, header->shape,
                  header->fortran ? transposed(values, header->shape, header->type->size)
                                  : std::string(values)};
}

std::string npy_header(NpyType type, const std::vector<std::int64_t>& shape) {
  std::string text = fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': ({}{}), }}",
                                 row_of(type).descr, fmt::join(shape, ", "),
                                 shape.size() == 1 ? "," : "");  // Python's tuples: (3,), (3, 4)
  text.append(63 - (10 + text.size()) % 64, ' ');
  text += '\n';
  std::string out("\x93NUMPY\x01\x00", 8);
  out += static_cast<char>(text.size() & 255);
  out += static_cast<char>(text.size() >> 8);
  return out + text;
}

std::string write_npy(const NpyArray& array) {
  DDPM_CHECK(array.bytes.size() == array.size() * row_of(array.type).size);
  return npy_header(array.type, array.shape) + array.bytes;
}

NpyArray npy_f64(std::vector<std::int64_t> shape, const std::vector<double>& values) {
  return from_values(NpyType::f64, std::move(shape), values);
}

NpyArray npy_f32(std::vector<std::int64_t> shape, const std::vector<float>& values) {
  return from_values(NpyType::f32, std::move(shape), values);
}

Result<std::map<std::string, NpyArray>> parse_npz(std::string_view bytes, const std::string& name,
                                                  const std::vector<std::string>& wanted) {
  const auto entries = list_zip(bytes, name);
  if (!entries) return tl::unexpected(entries.error());
  std::map<std::string, NpyArray> arrays;
  for (const ZipEntry& entry : *entries) {
    std::string key = entry.name;
    if (!key.ends_with(".npy")) continue;
    key.resize(key.size() - 4);
    if (!wanted.empty() && std::find(wanted.begin(), wanted.end(), key) == wanted.end()) continue;
    if (arrays.count(key) != 0) {
      return fail(FailureCode::corrupt, "[data] {}: has {} twice", name, entry.name);
    }
    const auto content = read_zip_entry(bytes, entry, name);
    if (!content) return tl::unexpected(content.error());
    auto array = parse_npy(*content, name + ":" + key);
    if (!array) return tl::unexpected(array.error());
    arrays[key] = std::move(*array);
  }
  return arrays;
}

std::string write_npz(const std::map<std::string, NpyArray>& arrays) {
  std::vector<std::pair<std::string, std::string>> entries;
  for (const auto& [key, array] : arrays) entries.emplace_back(key + ".npy", write_npy(array));
  return write_zip(entries);
}

}  // namespace ddpm
