#include "ddpm/diffusion/spacing.h"

#include <algorithm>
#include <cstdint>

#include "ddpm/base/error.h"

namespace ddpm {
namespace {

// a / b rounded to the nearest integer, halves to even; a >= 0, b > 0.
std::int64_t rounded_quotient(std::int64_t a, std::int64_t b) {
  const std::int64_t low = a / b, twice = 2 * (a % b);
  const bool up = twice > b || (twice == b && low % 2 == 1);
  return low + (up ? 1 : 0);
}

// The i-th time from below, i = 0..calls - 1. Integers throughout: an exact quotient is the same on
// every machine. T <= 10^6 keeps 4 T i^2 below 2^63.
std::int64_t time_at(Spacing spacing, std::int64_t i, std::int64_t T, std::int64_t calls) {
  const std::int64_t last = std::max<std::int64_t>(calls - 1, 1);
  switch (spacing) {
    case Spacing::uniform:
      return 1 + i * T / calls;
    case Spacing::quadratic:  // (i sqrt(0.8 T) / (calls - 1))^2 = 4 T i^2 / (5 (calls - 1)^2)
      return 1 + 4 * T * i * i / (5 * last * last);
    case Spacing::leading:
      return 1 + i * (T / calls);
    case Spacing::linspace:  // halves to even of the network's time, t - 1
      return calls == 1 ? T : 1 + rounded_quotient(i * (T - 1), last);
    case Spacing::trailing:
      return rounded_quotient(T * (i + 1), calls);
    default:
      throw BugError("[plan] spaced_times: not a spacing of whole times");
  }
}

}  // namespace

std::vector<int> spaced_times(int T, int calls, Spacing spacing) {
  if (calls < 1 || calls > T) {
    throw Error("[plan] spacing: got {} network calls, expected 1..{}; try {}", calls, T,
                std::clamp(calls, 1, std::max(T, 1)));
  }
  DDPM_CHECK(T <= 1'000'000, "T = {}", T);
  std::vector<int> times;
  std::int64_t previous = 0;
  for (int i = 0; i < calls; ++i) {
    // Only quadratic times repeat; t - i is convex in i, so this never passes T.
    previous = std::max(time_at(spacing, i, T, calls), previous + 1);
    times.push_back(static_cast<int>(previous));
  }
  std::ranges::reverse(times);
  return times;
}

}  // namespace ddpm
