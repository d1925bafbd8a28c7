#include "ddpm/net/safetensors_header.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <set>
#include <tuple>
#include <utility>

#include "ddpm/base/bytes.h"
#include "ddpm/net/json_writer.h"

namespace ddpm {
namespace {

// Limits on what a header may make us hold; models have hundreds of tensors of rank 4.
constexpr std::uint64_t kMaxHeader = 100'000'000;  // the reference's
constexpr std::size_t kMaxTensors = 100'000;
constexpr std::size_t kMaxMetadata = 10'000;
constexpr std::size_t kMaxRank = 16;
constexpr int kMaxDepth = 3;

constexpr std::array kOtherTypes = {"BOOL",    "F4",      "F6_E2M3", "F6_E3M2",     "I8",
                                    "F8_E5M2", "F8_E4M3", "F8_E8M0", "F8_E4M3FNUZ", "F8_E5M2FNUZ",
                                    "I16",     "U16",     "U32",     "C64",         "U64"};

constexpr std::array kTypes = {DType::f32, DType::f16, DType::bf16, DType::f64,
                               DType::i64, DType::i32, DType::u8};

// Collects the entries; where in the document it stands is `where_`.
class HeaderSink final : public JsonSink {
 public:
  std::string begin_object() override {
    if (where_ == Where::start) return go(Where::file);
    if (where_ != Where::file) return "an object where none may be";
    if (key_ == "__metadata__") {
      has_metadata_ = true;
      return go(Where::metadata);
    }
    entry_ = {};
    entry_.name = key_;
    return go(Where::entry);
  }

  std::string end_object() override {
    if (where_ == Where::file) return go(Where::end);
    if (where_ == Where::entry) {
      if (fields_.size() != 3) return in_entry("dtype, shape and data_offsets are needed");
      fields_.clear();
      header.places.push_back(std::move(entry_));
    }
    return go(Where::file);
  }

  std::string begin_array() override {
    if (where_ != Where::entry || key_ == "dtype") return "a list where none may be";
    numbers_.clear();
    return go(Where::list);
  }

  std::string end_array() override {
    if (key_ == "shape") {
      entry_.shape = numbers_;
      return go(Where::entry);
    }
    if (numbers_.size() != 2) return in_entry("data_offsets are [begin, end]");
    entry_.begin = numbers_[0];
    entry_.end = numbers_[1];
    return go(Where::entry);
  }

  std::string key(std::string text) override {
    key_ = std::move(text);
    if (where_ == Where::entry) return field();
    if (where_ == Where::metadata) return {};
    if (key_.size() > kMaxTensorName)
      return fmt::format("a name of more than {} bytes", kMaxTensorName);
    if (header.places.size() >= kMaxTensors)
      return fmt::format("more than {} tensors", kMaxTensors);
    if (key_ == "__metadata__") return has_metadata_ ? "__metadata__ twice" : "";
    return names_.insert(key_).second ? "" : fmt::format("tensor {} twice", quote_json(key_));
  }

  std::string string(std::string text) override {
    if (where_ == Where::metadata) return metadata(std::move(text));
    if (where_ != Where::entry || key_ != "dtype") return "a string where none may be";
    const auto type = std::ranges::find(kTypes, text, [](DType t) { return to_string(t); });
    if (type != kTypes.end()) {
      entry_.dtype = *type;
      return {};
    }
    unsupported = std::ranges::find(kOtherTypes, text) != kOtherTypes.end();
    if (!unsupported) return in_entry("no such dtype");
    return in_entry(
        fmt::format("dtype {} is not read; F32, F16, BF16, F64, I64, I32, U8 are", text));
  }

  std::string number(std::string as_written) override {
    if (where_ != Where::list) return "a number where none may be";
    if (numbers_.size() == kMaxRank) return in_entry(fmt::format("more than {} numbers", kMaxRank));
    std::int64_t value = 0;
    const char* end = as_written.data() + as_written.size();
    const auto [stop, code] = std::from_chars(as_written.data(), end, value);
    if (code != std::errc{} || stop != end || as_written[0] == '-') {
      return in_entry(fmt::format("{} is no integer from 0 to 2^63 - 1", as_written.substr(0, 40)));
    }
    numbers_.push_back(value);
    return {};
  }

  std::string boolean(bool) override { return "a truth value where none may be"; }
  std::string null() override { return "null where none may be"; }

  TensorHeader header;
  bool unsupported = false;

 private:
  enum class Where { start, file, metadata, entry, list, end };

  std::string go(Where where) {
    where_ = where;
    return {};
  }
  std::string in_entry(std::string_view rule) const {
    return fmt::format("tensor {}: {}", quote_json(entry_.name), rule);
  }
  std::string field() {
    if (key_ != "dtype" && key_ != "shape" && key_ != "data_offsets") {
      return in_entry(fmt::format("unknown field {}", quote_json(key_.substr(0, 40))));
    }
    return fields_.insert(key_).second ? "" : in_entry(key_ + " twice");
  }
  std::string metadata(std::string text) {
    if (header.metadata.size() == kMaxMetadata) return "too much metadata";
    const bool added = header.metadata.emplace(key_, std::move(text)).second;
    return added ? "" : fmt::format("metadata {} twice", quote_json(key_.substr(0, 40)));
  }

  Where where_ = Where::start;
  std::string key_;
  TensorPlace entry_;
  std::set<std::string> fields_;  // of the entry
  std::vector<std::int64_t> numbers_;
  std::set<std::string> names_;
  bool has_metadata_ = false;
};

// Places cover the data: from 0, each from the previous one's end, sizes as shapes and types say.
Result<void> check_places(const std::vector<TensorPlace>& places, std::uint64_t data_size,
                          const std::string& name) {
  std::uint64_t at = 0;
  for (const TensorPlace& p : places) {
    const auto bytes = tensor_bytes(p.dtype, p.shape);
    if (!bytes) {
      return fail(FailureCode::corrupt, "[net] {}: tensor {}: its size overflows", name,
                  quote_json(p.name));
    }
    if (p.end < p.begin || p.end - p.begin != *bytes) {
      return fail(FailureCode::corrupt,
                  "[net] {}: tensor {}: data_offsets [{}, {}], but shape and dtype take {} bytes",
                  name, quote_json(p.name), p.begin, p.end, *bytes);
    }
    if (p.begin != at) {
      return fail(FailureCode::corrupt,
                  "[net] {}: tensor {}: data from byte {} of the data, expected from {} (no hole, "
                  "no overlap)",
                  name, quote_json(p.name), p.begin, at);
    }
    at = p.end;
  }
  if (at == data_size) return {};
  return fail(at > data_size ? FailureCode::need_more : FailureCode::corrupt,
              "[net] {}: {} bytes of data, expected {}: the file is {}", name, data_size, at,
              at > data_size ? "cut short" : "longer than its tensors");
}

}  // namespace

Result<std::uint64_t> header_length(std::string_view first_bytes, std::uint64_t file_size,
                                    const std::string& name) {
  constexpr std::size_t kBytes = 8;
  if (first_bytes.size() < kBytes) {
    return fail(FailureCode::need_more,
                "[net] {}: got {} bytes, expected a safetensors file (8 at least)", name,
                first_bytes.size());
  }
  const std::uint64_t length = little_endian(first_bytes.substr(0, kBytes));
  if (length > kMaxHeader) {
    return fail(FailureCode::corrupt,
                "[net] {}: byte 0: a header of {} bytes, expected at most {}: no safetensors file",
                name, length, kMaxHeader);
  }
  if (length > file_size - kBytes) {
    return fail(FailureCode::need_more,
                "[net] {}: byte 0: a header of {} bytes, but {} follow: the file is cut short",
                name, length, file_size - kBytes);
  }
  return length;
}

Result<TensorHeader> parse_tensor_header(std::string_view json, std::uint64_t data_size,
                                         const std::string& name) {
  HeaderSink sink;
  const auto parsed = parse_json_events(json, name + " (header)", kMaxDepth, sink);
  if (!parsed) {
    Failure failure = parsed.error();
    if (sink.unsupported) failure.code = FailureCode::unsupported;
    return tl::unexpected(std::move(failure));
  }
  std::vector<TensorPlace>& places = sink.header.places;
  std::ranges::sort(places, {}, [](const TensorPlace& p) { return std::tuple(p.begin, p.end); });
  if (auto checked = check_places(places, data_size, name); !checked) {
    return tl::unexpected(std::move(checked.error()));
  }
  return std::move(sink.header);
}

std::optional<std::uint64_t> tensor_bytes(DType dtype, const std::vector<std::int64_t>& shape) {
  std::uint64_t n = 1;
  for (const std::int64_t d : shape) {
    if (__builtin_mul_overflow(n, static_cast<std::uint64_t>(d), &n)) return std::nullopt;
  }
  if (__builtin_mul_overflow(n, static_cast<std::uint64_t>(bytes_of(dtype)), &n))
    return std::nullopt;
  return n;
}

}  // namespace ddpm
