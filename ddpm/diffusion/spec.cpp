#include "ddpm/diffusion/spec.h"

#include <charconv>
#include <cmath>

#include "ddpm/base/error.h"
#include "ddpm/diffusion/names.h"

namespace ddpm {
namespace {

// The number that is the whole of `text`. std::from_chars: the same digits give the same double
// everywhere.
template <class Number>
std::optional<Number> whole_number(std::string_view text) {
  Number number{};
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc() || stop != end) return std::nullopt;
  return number;
}

// Cuts `rest` at the first separator and returns what stood before it.
std::string_view take_until(std::string_view& rest, char separator) {
  const std::size_t at = rest.find(separator);
  const std::string_view head = rest.substr(0, at);
  rest = at == std::string_view::npos ? std::string_view() : rest.substr(at + 1);
  return head;
}

}  // namespace

Spec::Spec(std::string tag, std::string text) : tag_(std::move(tag)), text_(std::move(text)) {
  std::string_view rest = text_;
  parse_head(take_until(rest, ','));
  if (text_.ends_with(',')) parse_option("");  // names the mistake
  while (!rest.empty()) parse_option(take_until(rest, ','));
}

std::string Spec::where(std::string_view what) const {
  return fmt::format("[{}] {} of '{}'", tag_, what, text_);
}

void Spec::parse_head(std::string_view head) {
  std::string_view rest = head;
  name_ = take_until(rest, ':');
  if (head.size() == name_.size()) return;  // no colon
  count_ = whole_number<int>(rest);
  if (!count_) {
    throw Error("{}: got '{}', expected a whole number; try '{}:50'", where("count"), rest, name_);
  }
}

void Spec::parse_option(std::string_view option) {
  const std::size_t equals = option.find('=');
  if (equals == std::string_view::npos || equals == 0 || equals + 1 == option.size()) {
    throw Error("{}: got '{}', expected key=value; try '{}:50,key=value'", where("option"), option,
                name_);
  }
  const std::string_view key = option.substr(0, equals);
  if (value(key)) throw Error("{}: got '{}' twice, expected it once", where("option"), key);
  options_.emplace_back(key, option.substr(equals + 1));
}

std::size_t Spec::choose_name(std::span<const std::string_view> known) const {
  return ddpm::choose_name(where("name"), name_, known);
}

void Spec::check_keys(std::span<const std::string_view> known) const {
  for (const auto& [key, unused] : options_) ddpm::choose_name(where("key"), key, known);
}

std::optional<std::string_view> Spec::value(std::string_view key) const {
  for (const auto& [known, text] : options_) {
    if (known == key) return text;
  }
  return std::nullopt;
}

std::optional<double> Spec::number(std::string_view key) const {
  const auto text = value(key);
  if (!text) return std::nullopt;
  const auto number = whole_number<double>(*text);
  if (!number || !std::isfinite(*number)) {
    throw Error("{}: got '{}', expected a number; try '{}=0.5'", where(key), *text, key);
  }
  return number;
}

std::optional<std::size_t> Spec::choice(std::string_view key,
                                        std::span<const std::string_view> known) const {
  const auto text = value(key);
  if (!text) return std::nullopt;
  return ddpm::choose_name(where(key), *text, known);
}

}  // namespace ddpm
