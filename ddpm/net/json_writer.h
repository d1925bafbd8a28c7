// JSON as Python's json.dumps(value, indent=2, sort_keys=True) writes it, so that our configs are
// diffusers' own, byte for byte. Doubles are the shortest text that reads back to the same value.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "ddpm/net/strict_json.h"

namespace ddpm {

Json json_bool(bool value);
Json json_integer(std::int64_t value);
/// Finite (BugError otherwise); written with a point or an exponent.
Json json_real(double value);
Json json_string(std::string value);
Json json_list(std::vector<Json> values);
Json json_object(std::map<std::string, Json> members);

/// Indent 2, sorted keys, a newline at the end.
std::string write_json(const Json& value);

/// The string in quotes, escaped as serde_json and Python do; bytes from 0x7f on as they are.
std::string quote_json(std::string_view text);

}  // namespace ddpm
