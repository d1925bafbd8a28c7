// Names that a person types: chosen from a known list, or refused with the nearest one.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include "ddpm/base/error.h"

namespace ddpm {

/// The index of `got` in `known`. Otherwise throws Error: `<where>: got 'got', expected a, b or c;
/// try 'b'`.
std::size_t choose_name(std::string_view where, std::string_view got,
                        std::span<const std::string_view> known);

/// The name of an enumerator, whose numbers are places in `names`.
template <class Enum>
std::string_view name_at(std::span<const std::string_view> names, Enum value) {
  const auto index = static_cast<std::size_t>(value);
  DDPM_CHECK(index < names.size(), "{}", index);
  return names[index];
}

}  // namespace ddpm
