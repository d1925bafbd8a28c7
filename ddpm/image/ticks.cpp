#include "ddpm/image/ticks.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "ddpm/base/error.h"
#include "ddpm/base/exact.h"

namespace ddpm {
namespace {

constexpr double kLn10 = 2.30258509299404568402;

double decimal_log(double x) { return exact::log(x) / kLn10; }

double power_of_ten(int exponent) {  // exact up to 22, as decimal text is read
  double power = 1;
  for (int i = 0; i < std::abs(exponent); ++i) power *= 10;
  return exponent < 0 ? 1 / power : power;
}

double round_step(double width, int count) {
  const double rough = width / count;
  const double unit = power_of_ten(static_cast<int>(std::floor(decimal_log(rough))));
  for (const double m : {1.0, 2.0, 5.0}) {
    if (m * unit >= rough * 0.8) return m * unit;
  }
  return 10 * unit;
}

std::vector<Tick> linear_ticks(const Range& range, int count) {
  const double step = round_step(range.high - range.low, count);
  std::vector<Tick> ticks;
  const double slack = 1e-9 * step;
  for (double k = std::ceil((range.low - slack) / step); k * step <= range.high + slack; ++k) {
    ticks.push_back({k * step, tick_label(k * step, step)});
  }
  return ticks;
}

std::string log_label(double value) {
  return value >= 0.001 && value < 1e5
             ? fmt::format("{:.6g}", value)
             : fmt::format("10^{{{}}}", static_cast<int>(std::rint(decimal_log(value))));
}

std::vector<Tick> log_ticks(const Range& range) {
  const int first = static_cast<int>(std::floor(decimal_log(range.low) + 1e-9));
  const int last = static_cast<int>(std::ceil(decimal_log(range.high) - 1e-9));
  const bool narrow = decimal_log(range.high / range.low) < 2;
  std::vector<Tick> ticks;
  for (int e = first; e <= last; ++e) {
    for (int m = 1; m <= 9; ++m) {
      const double value = m * power_of_ten(e);
      if (value < range.low * (1 - 1e-9) || value > range.high * (1 + 1e-9)) continue;
      const bool labelled = m == 1 || (narrow && (m == 2 || m == 5));
      ticks.push_back({value, labelled ? log_label(value) : ""});
    }
  }
  return ticks;
}

}  // namespace

double Range::place(double value) const {
  if (!log) return (value - low) / (high - low);
  return value > 0 ? exact::log(value / low) / exact::log(high / low) : -1e9;
}

std::string tick_label(double value, double step) {
  if (std::abs(value) < step * 1e-6) value = 0;  // and no "-0"
  const int decimals = std::clamp(static_cast<int>(-std::floor(decimal_log(step) + 1e-9)), 0, 12);
  if (std::abs(value) >= 1e6 || step < 1e-5) return fmt::format("{:.3g}", value);
  return fmt::format("{:.{}f}", value, decimals);
}

std::vector<Tick> make_ticks(const Range& range, int count) {
  DDPM_CHECK(range.low < range.high && (!range.log || range.low > 0) && count >= 1, "{}..{}, {}",
             range.low, range.high, count);
  return range.log ? log_ticks(range) : linear_ticks(range, count);
}

}  // namespace ddpm
