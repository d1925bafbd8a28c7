// What is wrong with a network's config, collected so that one message names it all.
#pragma once

#include <fmt/ranges.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "ddpm/base/error.h"

namespace ddpm {

class Problems {
 public:
  template <class... Args>
  void require(bool holds, fmt::format_string<Args...> format, Args&&... args) {
    if (!holds) list_.push_back(fmt::format(format, std::forward<Args>(args)...));
  }
  /// Throws Error (usage) that begins with `what`.
  void throw_if_any(std::string_view what) const {
    if (!list_.empty()) throw Error("[net] {}: {}", what, fmt::join(list_, "; "));
  }

 private:
  std::vector<std::string> list_;
};

/// f(); its Errors, which speak of a caller's mistakes, are those of `file` (bad_input).
template <class F>
auto as_bad_input(const std::string& file, F f) {
  try {
    return f();
  } catch (const Error& error) {
    throw Error(ExitCode::bad_input, "[net] {}: {}", file, error.what());
  }
}

}  // namespace ddpm
