#include "ddpm/cli/labels.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>

#include "ddpm/base/error.h"
#include "ddpm/base/suggest.h"

namespace ddpm::cli {
namespace {

int parse_label(const std::string& word, int classes, const std::vector<std::string>& names) {
  const auto named = std::find(names.begin(), names.end(), word);
  if (named != names.end()) return static_cast<int>(named - names.begin());
  int number = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), number);
  const bool whole = error == std::errc() && end == word.data() + word.size() && !word.empty();
  if (whole && 0 <= number && number < classes) return number;
  const std::string near = whole ? "" : nearest(word, names);
  throw Error("[cli] label: got '{}', expected all, 0..{}{}{}; try --label {}", word, classes - 1,
              names.empty() ? "" : ", or a name: ", fmt::join(names, ", "),
              near.empty() ? "0" : "'" + near + "'");
}

}  // namespace

std::vector<int> parse_labels(const std::string& text, int classes,
                              const std::vector<std::string>& names) {
  std::vector<int> labels;
  if (text == "all") {
    for (int k = 0; k < classes; ++k) labels.push_back(k);
    return labels;
  }
  std::size_t at = 0;
  while (at <= text.size()) {
    const std::size_t comma = std::min(text.find(',', at), text.size());
    labels.push_back(parse_label(text.substr(at, comma - at), classes, names));
    at = comma + 1;
  }
  return labels;
}

}  // namespace ddpm::cli
