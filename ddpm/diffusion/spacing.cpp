#include <algorithm>
#include <cstdint>

#include "ddpm/base/error.h"
#include "ddpm/diffusion/plan.h"

namespace ddpm {
namespace {

// Integers throughout: floor of an exact quotient is the same on every machine. T <= 10^6 keeps 4 T
// i^2 below 2^63.
std::int64_t uniform_time(std::int64_t i, std::int64_t T, std::int64_t calls) {
  return 1 + i * T / calls;
}

// (i sqrt(0.8 T) / (calls - 1))^2 = 4 T i^2 / (5 (calls - 1)^2)
std::int64_t quadratic_time(std::int64_t i, std::int64_t T, std::int64_t calls) {
  const std::int64_t last = std::max<std::int64_t>(calls - 1, 1);
  return 1 + 4 * T * i * i / (5 * last * last);
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
    const std::int64_t t =
        spacing == Spacing::uniform ? uniform_time(i, T, calls) : quadratic_time(i, T, calls);
    previous = std::max(t, previous + 1);  // t - i is convex in i, so this never passes T
    times.push_back(static_cast<int>(previous));
  }
  std::ranges::reverse(times);
  return times;
}

}  // namespace ddpm
