#include "ddpm/diffusion/names.h"

#include <algorithm>
#include <string>

#include "ddpm/base/error.h"
#include "ddpm/base/suggest.h"

namespace ddpm {
namespace {

std::string enumerate(std::span<const std::string_view> names) {
  std::string text;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (i > 0) text += i + 1 < names.size() ? ", " : " or ";
    text += names[i];
  }
  return text;
}

}  // namespace

std::size_t choose_name(std::string_view where, std::string_view got,
                        std::span<const std::string_view> known) {
  const auto found = std::ranges::find(known, got);
  if (found != known.end()) return static_cast<std::size_t>(found - known.begin());
  const std::string close = nearest(got, {known.begin(), known.end()});
  const std::string advice = close.empty() ? "" : fmt::format("; try '{}'", close);
  throw Error("{}: got '{}', expected {}{}", where, got, enumerate(known), advice);
}

}  // namespace ddpm
