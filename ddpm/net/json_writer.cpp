#include "ddpm/net/json_writer.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace ddpm {
namespace {

Json of_kind(Json::Kind kind) {
  Json value;
  value.kind = kind;
  return value;
}

void append(std::string& out, const Json& value, int indent);

void append_items(std::string& out, const Json& value, int indent) {
  const bool object = value.is(Json::Kind::object);
  if (value.items.empty()) {
    out += object ? "{}" : "[]";
    return;
  }
  std::vector<std::size_t> order(value.items.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  if (object) std::ranges::sort(order, {}, [&](std::size_t i) { return value.keys[i]; });
  out += object ? '{' : '[';
  for (const std::size_t i : order) {
    out += i == order.front() ? "\n" : ",\n";
    out.append(indent + 2, ' ');
    if (object) out += quote_json(value.keys[i]) + ": ";
    append(out, value.items[i], indent + 2);
  }
  out += '\n';
  out.append(indent, ' ');
  out += object ? '}' : ']';
}

void append(std::string& out, const Json& value, int indent) {
  switch (value.kind) {
    case Json::Kind::null:
      out += "null";
      return;
    case Json::Kind::boolean:
      out += value.truth ? "true" : "false";
      return;
    case Json::Kind::number:
      out += value.text;
      return;
    case Json::Kind::string:
      out += quote_json(value.text);
      return;
    case Json::Kind::array:
    case Json::Kind::object:
      append_items(out, value, indent);
  }
}

std::string escaped(char c) {
  switch (c) {
    case '"':
      return "\\\"";
    case '\\':
      return "\\\\";
    case '\b':
      return "\\b";
    case '\f':
      return "\\f";
    case '\n':
      return "\\n";
    case '\r':
      return "\\r";
    case '\t':
      return "\\t";
    default:
      return static_cast<unsigned char>(c) < 0x20 ? fmt::format("\\u{:04x}", c) : std::string(1, c);
  }
}

}  // namespace

Json json_bool(bool value) {
  Json json = of_kind(Json::Kind::boolean);
  json.truth = value;
  return json;
}

Json json_integer(std::int64_t value) {
  Json json = of_kind(Json::Kind::number);
  json.text = fmt::format("{}", value);
  return json;
}

Json json_real(double value) {
  DDPM_CHECK(std::isfinite(value), "value {}", value);
  Json json = of_kind(Json::Kind::number);
  json.text = fmt::format("{}", value);
  if (json.text.find_first_of(".e") == std::string::npos) json.text += ".0";
  return json;
}

Json json_string(std::string value) {
  Json json = of_kind(Json::Kind::string);
  json.text = std::move(value);
  return json;
}

Json json_list(std::vector<Json> values) {
  Json json = of_kind(Json::Kind::array);
  json.items = std::move(values);
  return json;
}

Json json_object(std::map<std::string, Json> members) {
  Json json = of_kind(Json::Kind::object);
  for (auto& [key, value] : members) {
    json.keys.push_back(key);
    json.items.push_back(std::move(value));
  }
  return json;
}

std::string write_json(const Json& value) {
  std::string out;
  append(out, value, 0);
  return out += '\n';
}

std::string quote_json(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) out += escaped(c);
  return out += '"';
}

}  // namespace ddpm
