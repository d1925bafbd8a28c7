#include "ddpm/net/key_reader.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "ddpm/base/suggest.h"
#include "ddpm/net/json_writer.h"

namespace ddpm {
namespace {

constexpr std::size_t kMostWarnings = 10;

// The member as an int, if it is one.
std::optional<int> as_int(const Json& value) {
  const auto wide = value.integer();
  if (!wide || !std::in_range<int>(*wide)) return std::nullopt;
  return static_cast<int>(*wide);
}

}  // namespace

KeyReader::KeyReader(const Json& object, std::string file)
    : object_(object), file_(std::move(file)) {
  if (object.is(Json::Kind::object)) return;
  throw Error(ExitCode::bad_input, "[net] {}: got {}, expected an object of keys and values", file_,
              describe(object));
}

const Json* KeyReader::find(std::string_view key) {
  known_.emplace(key);
  return object_.find(key);
}

int KeyReader::integer(std::string_view key, int fallback) {
  const Json* value = find(key);
  if (value == nullptr) return fallback;
  const auto number = as_int(*value);
  if (!number) refuse(key, value, "an integer");
  return number.value_or(fallback);
}

double KeyReader::real(std::string_view key, double fallback) {
  const Json* value = find(key);
  if (value == nullptr) return fallback;
  const auto number = value->real();
  if (!number) refuse(key, value, "a number");
  return number.value_or(fallback);
}

bool KeyReader::boolean(std::string_view key, bool fallback) {
  const Json* value = find(key);
  if (value == nullptr) return fallback;
  if (value->is(Json::Kind::boolean)) return value->truth;
  refuse(key, value, "true or false");
  return fallback;
}

std::string KeyReader::word(std::string_view key, std::string fallback) {
  const Json* value = find(key);
  if (value == nullptr) return fallback;
  if (value->is(Json::Kind::string)) return value->text;
  refuse(key, value, "a string");
  return fallback;
}

std::vector<int> KeyReader::integers(std::string_view key, std::vector<int> fallback) {
  const Json* value = find(key);
  if (value == nullptr) return fallback;
  std::vector<int> numbers;
  for (const Json& item : value->items) {
    if (const auto number = as_int(item)) numbers.push_back(*number);
  }
  if (value->is(Json::Kind::array) && numbers.size() == value->items.size()) return numbers;
  refuse(key, value, "a list of integers");
  return fallback;
}

std::vector<double> KeyReader::reals(std::string_view key, std::vector<double> fallback) {
  const Json* value = find(key);
  if (value == nullptr) return fallback;
  std::vector<double> numbers;
  for (const Json& item : value->items) {
    if (const auto number = item.real()) numbers.push_back(*number);
  }
  if (value->is(Json::Kind::array) && numbers.size() == value->items.size()) return numbers;
  refuse(key, value, "a list of numbers");
  return fallback;
}

std::vector<std::string> KeyReader::words(std::string_view key, std::vector<std::string> fallback) {
  const Json* value = find(key);
  if (value == nullptr) return fallback;
  std::vector<std::string> texts;
  for (const Json& item : value->items) {
    if (item.is(Json::Kind::string)) texts.push_back(item.text);
  }
  if (value->is(Json::Kind::array) && texts.size() == value->items.size()) return texts;
  refuse(key, value, "a list of strings");
  return fallback;
}

void KeyReader::only_number(std::string_view key, double supported) {
  const Json* value = find(key);
  if (value == nullptr || value->real() == supported) return;
  refuse(key, value, fmt::format("{}", supported));
}

void KeyReader::only_bool(std::string_view key, bool supported) {
  const Json* value = find(key);
  if (value == nullptr || *value == json_bool(supported)) return;
  refuse(key, value, supported ? "true" : "false");
}

void KeyReader::only_null(std::string_view key) {
  const Json* value = find(key);
  if (value != nullptr && !value->is(Json::Kind::null)) refuse(key, value, "null");
}

void KeyReader::only_words(std::string_view key,
                           std::initializer_list<std::string_view> supported) {
  const Json* value = find(key);
  if (value == nullptr) return;
  const bool found =
      value->is(Json::Kind::string) && std::ranges::find(supported, value->text) != supported.end();
  if (!found) refuse(key, value, fmt::format("{}", fmt::join(supported, " or ")));
}

void KeyReader::ignore(std::initializer_list<std::string_view> keys) {
  known_.insert(keys.begin(), keys.end());
}

void KeyReader::refuse(std::string_view key, const Json* got, std::string_view expected) {
  problems_.push_back(fmt::format("{}: got {}, expected {}", key,
                                  got == nullptr ? "nothing" : describe(*got), expected));
}

std::vector<std::string> KeyReader::finish() const {
  if (!problems_.empty()) {
    throw Error(ExitCode::bad_input, "[net] {}: not supported: {}", file_,
                fmt::join(problems_, "; "));
  }
  std::vector<std::string> warnings;
  const std::vector<std::string> known(known_.begin(), known_.end());
  for (const std::string& key : object_.keys) {
    if (key.starts_with('_') || known_.contains(key)) continue;
    if (warnings.size() == kMostWarnings) break;
    // A mistyped key is the dangerous kind: its class default is used instead.
    const std::string meant = nearest(key.substr(0, 100), known);
    warnings.push_back(fmt::format("{}: unknown key {} ignored{}", file_,
                                   quote_json(key.substr(0, 100)),
                                   meant.empty() ? "" : "; did you mean " + meant + "?"));
  }
  return warnings;
}

}  // namespace ddpm
