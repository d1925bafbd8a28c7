#include "ddpm/base/suggest.h"

#include <algorithm>
#include <cstddef>

namespace ddpm {
namespace {

constexpr std::size_t kFarthest = 2;

std::size_t length_difference(std::string_view a, std::string_view b) {
  return a.size() > b.size() ? a.size() - b.size() : b.size() - a.size();
}

}  // namespace

int edit_distance(std::string_view a, std::string_view b) {
  // Rows i - 2, i - 1 and i of the table d[i][j] = distance of a's first i from b's first j
  // characters.
  std::vector<int> before(b.size() + 1), previous(b.size() + 1), row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = static_cast<int>(j);
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::swap(before, previous);
    std::swap(previous, row);
    row[0] = static_cast<int>(i);
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const int change = a[i - 1] == b[j - 1] ? 0 : 1;
      row[j] = std::min({previous[j] + 1, row[j - 1] + 1, previous[j - 1] + change});
      const bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (swapped) row[j] = std::min(row[j], before[j - 2] + 1);
    }
  }
  return row[b.size()];
}

std::string nearest(std::string_view word, const std::vector<std::string>& known) {
  std::string best;
  std::size_t least = kFarthest + 1;
  for (const std::string& name : known) {
    if (length_difference(word, name) >= least) continue;  // also bounds the work for endless words
    const auto distance = static_cast<std::size_t>(edit_distance(word, name));
    if (distance >= least || distance >= std::min(word.size(), name.size())) continue;
    least = distance;
    best = name;
  }
  return best;
}

}  // namespace ddpm
