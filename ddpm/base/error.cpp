#include "ddpm/base/error.h"

#include <cstring>

namespace ddpm {

void throw_bug(const char* file, int line, const char* expression, const std::string& values) {
  const char* inside = std::strstr(file, "ddpm/");  // the path below the source tree
  throw BugError(fmt::format("[bug] {}:{}: {} does not hold{}{}", inside ? inside : file, line,
                             expression, values.empty() ? "" : ": ", values));
}

}  // namespace ddpm
