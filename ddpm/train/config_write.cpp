// RunConfig -> TOML.
#include <fmt/ranges.h>

#include <string>
#include <type_traits>

#include "ddpm/train/config_check.h"
#include "ddpm/train/config_keys.h"

namespace ddpm {
namespace {

// A TOML basic string.
std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 0x20 || byte == 0x7F) {
      out += fmt::format("\\u{:04X}", byte);
    } else {
      out += c;
    }
  }
  return out + '"';
}

class Writer {
 public:
  explicit Writer(const RunConfig& run) : run_(run) {}

  template <class T, class... Range>
  void operator()(const char* table, const char* key, const T& value, Range...) {
    if (!config::applies(run_, table, key)) return;
    if (table != table_) {
      text_ += fmt::format("{}[{}]\n", text_.empty() ? "" : "\n", table);
      table_ = table;
    }
    text_ += fmt::format("{} = {}\n", key, form(value));
  }

  std::string text() && { return std::move(text_); }

 private:
  static std::string form(const std::string& value) { return quoted(value); }
  static std::string form(const std::vector<int>& value) {
    return fmt::format("[{}]", fmt::join(value, ", "));
  }
  // Names; integers, flags, and doubles in the shortest form that reads back to the same bits.
  template <class T>
  static std::string form(T value) {
    if constexpr (std::is_enum_v<T>) {
      return quoted(std::string(to_string(value)));
    } else {
      return fmt::format("{}", value);
    }
  }

  const RunConfig& run_;
  std::string text_;
  std::string table_;
};

}  // namespace

std::string config_text(const RunConfig& config) {
  config::Keys keys = {config, config::attention_heights(config.net),
                       config.classifier.value_or(ClassifierConfig())};
  Writer writer(config);
  config::visit_keys(keys, writer);
  return std::move(writer).text();
}

}  // namespace ddpm
