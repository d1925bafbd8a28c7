// Names that a person types: chosen from a known list, or refused with the nearest one.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

namespace ddpm {

/// The index of `got` in `known`. Otherwise throws Error: `<where>: got 'got', expected a, b or c;
/// try 'b'`.
std::size_t choose_name(std::string_view where, std::string_view got,
                        std::span<const std::string_view> known);

}  // namespace ddpm
