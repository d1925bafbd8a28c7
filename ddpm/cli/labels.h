// --label: classes by number or name.
#pragma once

#include <string>
#include <vector>

namespace ddpm::cli {

/// The classes of "all", "3", "0,3,5" or "Trouser,Bag"; `names` may be empty. Throws Error (usage)
/// that lists what there is.
std::vector<int> parse_labels(const std::string& text, int classes,
                              const std::vector<std::string>& names);

}  // namespace ddpm::cli
