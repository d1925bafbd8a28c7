// JSON as Python's json.dumps(value, indent=2, sort_keys=True) writes it, so that our configs are
// diffusers' own, byte for byte. Doubles are the shortest text that reads back to the same value.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "ddpm/net/strict_json.h"

namespace ddpm {

Json json_bool(bool value);
Json json_integer(std::int64_t value);
/// Finite (BugError otherwise); written with a point or an exponent.
Json json_real(double value);
Json json_string(std::string value);
Json json_list(std::vector<Json> values);
/// The list of make(value) for each of the values: json_list_of(names, json_string).
template <class Values, class Make>
Json json_list_of(const Values& values, const Make& make) {
  std::vector<Json> items;
  for (const auto& value : values) items.push_back(make(value));
  return json_list(std::move(items));
}
Json json_object(std::map<std::string, Json> members);

/// Indent 2, sorted keys, a newline at the end.
std::string write_json(const Json& value);

/// The string in quotes, escaped as serde_json and Python do; bytes from 0x7f on as they are.
std::string quote_json(std::string_view text);

}  // namespace ddpm
