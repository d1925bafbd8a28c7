// For tests: JSON from text that is right.
#pragma once

#include <string_view>

#include "ddpm/net/strict_json.h"

namespace ddpm {

inline Json parsed(std::string_view text) { return value_or_throw(parse_json(text, "test")); }

}  // namespace ddpm
