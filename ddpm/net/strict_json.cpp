#include "ddpm/net/strict_json.h"

#include <algorithm>
#include <boost/json/basic_parser_impl.hpp>
#include <charconv>
#include <utility>

#include "ddpm/net/json_writer.h"

namespace ddpm {
namespace {

constexpr std::size_t kMaxValues = 65536;

// Boost's event interface: joins the parts of texts and passes whole events on. `false` with a code
// stops the parser.
class Handler {
 public:
  static constexpr std::size_t max_object_size = ~std::size_t{0};
  static constexpr std::size_t max_array_size = ~std::size_t{0};
  static constexpr std::size_t max_key_size = ~std::size_t{0};
  static constexpr std::size_t max_string_size = ~std::size_t{0};
  using View = boost::json::string_view;
  using Code = boost::json::error_code;

  explicit Handler(JsonSink& sink) : sink_(sink) {}

  const std::string& broken_rule() const { return broken_rule_; }

  bool on_document_begin(Code&) { return true; }
  bool on_document_end(Code&) { return true; }
  bool on_object_begin(Code& code) { return pass(sink_.begin_object(), code); }
  bool on_object_end(std::size_t, Code& code) { return pass(sink_.end_object(), code); }
  bool on_array_begin(Code& code) { return pass(sink_.begin_array(), code); }
  bool on_array_end(std::size_t, Code& code) { return pass(sink_.end_array(), code); }
  bool on_key_part(View part, std::size_t, Code&) { return collect(part); }
  bool on_key(View part, std::size_t, Code& code) { return pass(sink_.key(whole(part)), code); }
  bool on_string_part(View part, std::size_t, Code&) { return collect(part); }
  bool on_string(View part, std::size_t, Code& code) {
    return pass(sink_.string(whole(part)), code);
  }
  bool on_number_part(View part, Code&) { return collect(part); }
  bool on_int64(std::int64_t, View part, Code& code) { return number(part, code); }
  bool on_uint64(std::uint64_t, View part, Code& code) { return number(part, code); }
  bool on_double(double, View part, Code& code) { return number(part, code); }
  bool on_bool(bool value, Code& code) { return pass(sink_.boolean(value), code); }
  bool on_null(Code& code) { return pass(sink_.null(), code); }
  bool on_comment_part(View, Code&) { return true; }
  bool on_comment(View, Code&) { return true; }

 private:
  bool collect(View part) {
    collected_.append(part.data(), part.size());
    return true;
  }
  std::string whole(View part) {
    collect(part);
    return std::exchange(collected_, {});
  }
  bool number(View part, Code& code) { return pass(sink_.number(whole(part)), code); }
  bool pass(std::string broken_rule, Code& code) {
    if (broken_rule.empty()) return true;
    broken_rule_ = std::move(broken_rule);
    code = boost::json::make_error_code(boost::json::error::exception);
    return false;
  }

  JsonSink& sink_;
  std::string collected_;
  std::string broken_rule_;
};

// Builds a Json from events.
class Builder final : public JsonSink {
 public:
  std::string begin_object() override { return open(Json::Kind::object); }
  std::string end_object() override {
    if (const std::string* twice = repeated(open_.back().keys)) {
      return fmt::format("key {} twice in an object", quote_json(*twice));
    }
    return close();
  }
  std::string begin_array() override { return open(Json::Kind::array); }
  std::string end_array() override { return close(); }
  std::string key(std::string text) override {
    open_.back().keys.push_back(std::move(text));
    return {};
  }
  std::string string(std::string text) override {
    return add({.kind = Json::Kind::string,
                .truth = false,
                .text = std::move(text),
                .keys = {},
                .items = {}});
  }
  std::string number(std::string as_written) override {
    return add({.kind = Json::Kind::number,
                .truth = false,
                .text = std::move(as_written),
                .keys = {},
                .items = {}});
  }
  std::string boolean(bool value) override { return add(json_bool(value)); }
  std::string null() override { return add({}); }

  Json take() { return std::move(root_); }

 private:
  static const std::string* repeated(const std::vector<std::string>& keys) {
    std::vector<const std::string*> sorted;
    for (const std::string& key : keys) sorted.push_back(&key);
    std::ranges::sort(sorted, {},
                      [](const std::string* key) -> const std::string& { return *key; });
    const auto twice = std::ranges::adjacent_find(
        sorted, [](const std::string* a, const std::string* b) { return *a == *b; });
    return twice == sorted.end() ? nullptr : *twice;
  }
  std::string open(Json::Kind kind) {
    open_.emplace_back().kind = kind;
    return {};
  }
  std::string close() {
    Json value = std::move(open_.back());
    open_.pop_back();
    return add(std::move(value));
  }
  std::string add(Json value) {
    if (++values_ > kMaxValues) return fmt::format("more than {} values", kMaxValues);
    (open_.empty() ? root_ : open_.back().items.emplace_back()) = std::move(value);
    return {};
  }

  std::vector<Json> open_;
  Json root_;
  std::size_t values_ = 0;
};

}  // namespace

const Json* Json::find(std::string_view key) const {
  if (kind != Kind::object) return nullptr;
  const auto found = std::ranges::find(keys, key);
  return found == keys.end() ? nullptr : &items[found - keys.begin()];
}

std::optional<std::int64_t> Json::integer() const {
  std::int64_t value = 0;
  const char* end = text.data() + text.size();
  if (kind != Kind::number) return std::nullopt;
  const auto [stop, code] = std::from_chars(text.data(), end, value);
  if (code != std::errc{} || stop != end) return std::nullopt;
  return value;
}

std::optional<double> Json::real() const {
  double value = 0;
  const char* end = text.data() + text.size();
  if (kind != Kind::number) return std::nullopt;
  const auto [stop, code] = std::from_chars(text.data(), end, value);
  if (code != std::errc{} || stop != end) return std::nullopt;
  return value;
}

Result<void> parse_json_events(std::string_view text, const std::string& name, int max_depth,
                               JsonSink& sink) {
  boost::json::parse_options options;  // the defaults are strict
  options.max_depth = max_depth;
  boost::json::basic_parser<Handler> parser(options, sink);
  boost::json::error_code code;
  const std::size_t end = parser.write_some(/*more=*/false, text.data(), text.size(), code);
  if (!code && end == text.size()) return {};
  const std::string& rule = parser.handler().broken_rule();
  return fail(FailureCode::corrupt, "[net] {}: byte {}: {}", name, end,
              !rule.empty() ? rule
              : code        ? "not JSON: " + code.message()
                            : "more text after the JSON document");
}

Result<Json> parse_json(std::string_view text, const std::string& name, int max_depth) {
  Builder builder;
  if (auto parsed = parse_json_events(text, name, max_depth, builder); !parsed) {
    return tl::unexpected(std::move(parsed.error()));
  }
  return builder.take();
}

std::string describe(const Json& value) {
  constexpr std::size_t kLongest = 60;
  switch (value.kind) {
    case Json::Kind::null:
      return "null";
    case Json::Kind::boolean:
      return value.truth ? "true" : "false";
    case Json::Kind::number:
      return value.text.substr(0, kLongest);
    case Json::Kind::string:
      return quote_json(value.text.size() <= kLongest ? value.text
                                                      : value.text.substr(0, kLongest) + "...");
    case Json::Kind::array:
      return fmt::format("a list of {}", value.items.size());
    case Json::Kind::object:
      break;
  }
  return "an object";
}

}  // namespace ddpm
