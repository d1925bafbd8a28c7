// "Did you mean ...?": the known name nearest to a mistyped one.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace ddpm {

/// Insertions, deletions, substitutions and swaps of neighbours that turn `a` into `b`
/// (Damerau-Levenshtein, optimal string alignment). O(|a| |b|) time.
int edit_distance(std::string_view a, std::string_view b);

/// The first of the `known` names at the least distance from `word`, if that is at most 2 and less
/// than the length of either;
/// "" when there is none. Case is not ignored.
std::string nearest(std::string_view word, const std::vector<std::string>& known);

}  // namespace ddpm
