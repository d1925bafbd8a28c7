// Round numbers along an axis.
#pragma once

#include <string>
#include <vector>

namespace ddpm {

/// An axis from low to high; log: by ratios, both above 0.
struct Range {
  double low = 0, high = 1;
  bool log = false;

  /// 0 at low, 1 at high.
  double place(double value) const;
};

struct Tick {
  double value;
  std::string label;  // "" for a small tick
};

/// Linear: about `count` multiples of 1, 2 or 5 times a power of ten. Log: powers of ten, with
/// small ticks at 2..9 between them, labelled too (2 and 5) where there are fewer than two powers.
std::vector<Tick> make_ticks(const Range& range, int count);

/// The shortest text that tells `value` from its neighbours `step` apart.
std::string tick_label(double value, double step);

}  // namespace ddpm
