// UTF-8 checks for text that leaves the program as TOML or JSON; file names may hold any bytes.
#pragma once

#include <string>
#include <string_view>

namespace ddpm {

/// No stray, overlong, surrogate or truncated sequence (Unicode 15, table 3-7).
bool is_utf8(std::string_view text);

/// `text` with every byte that breaks the rules replaced by U+FFFD.
std::string to_utf8(std::string_view text);

}  // namespace ddpm
