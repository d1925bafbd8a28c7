// The times of a spacing, in whole numbers or as diffusers computes them in floating point.
#include <algorithm>
#include <cmath>

#include "ddpm/base/error.h"
#include "ddpm/diffusion/plan_request.h"

namespace ddpm {
namespace {

// numpy.linspace(0, last - 1, n), from above.
std::vector<double> numpy_linspace(int last, int n) {
  std::vector<double> times;
  const double step = n > 1 ? (last - 1.0) / (n - 1) : 0;
  for (int i = n - 1; i >= 0; --i) times.push_back(i == n - 1 && n > 1 ? last - 1 : i * step);
  return times;
}

// numpy.arange(last, 0, -T / n).round() - 1: where rounding makes it one longer, the last is -1.
std::vector<double> numpy_trailing(int last, int T, int n) {
  const double step = -(static_cast<double>(T) / n);
  const double delta = (last + step) - last;
  std::vector<double> times;
  const auto count = static_cast<int>(std::ceil(-last / step));
  for (int i = 0; i < count; ++i) times.push_back(std::rint(last + i * delta) - 1);
  return times;
}

std::vector<double> leading(const Request& r, int last, int calls, bool drop) {
  const int offset = r.whole("offset", 0, 0, r.levels.schedule().T());
  const int ratio = last / (drop ? calls + 1 : calls);
  std::vector<double> times;
  for (int i = drop ? 1 : 0; i < calls + (drop ? 1 : 0); ++i) times.push_back(i * ratio + offset);
  std::ranges::reverse(times);
  if (times.front() >= r.levels.schedule().T()) {
    throw Error("[plan] offset of '{}': got time {}, expected below {}; try a smaller offset",
                r.spec.text(), times.front(), r.levels.schedule().T());
  }
  return times;
}

std::vector<double> linspace(const Request& r, TimeRule rule, int calls, int last) {
  std::vector<double> times;
  if (rule == TimeRule::sigma || r.compat) {
    times = numpy_linspace(last, rule == TimeRule::lambda ? calls + 1 : calls);
    if (calls == 1 && !r.compat) times = {last - 1.0};
  } else {
    const int points = rule == TimeRule::lambda ? calls + 1 : calls;
    for (const int t : spaced_times(last, std::min(points, last), Spacing::linspace)) {
      times.push_back(network_time(t));
    }
  }
  if (rule != TimeRule::sigma) {
    for (double& time : times) time = std::rint(time);
  }
  if (rule == TimeRule::lambda && times.size() > 1) times.pop_back();
  return times;
}

}  // namespace

std::vector<double> network_times(const Request& r, TimeRule rule, Spacing spacing, int calls,
                                  int last) {
  if (spacing != Spacing::leading && r.spec.value("offset")) {
    throw Error("[plan] offset of '{}': got one, expected none but with spacing=leading",
                r.spec.text());
  }
  if (spacing == Spacing::leading) return leading(r, last, calls, rule == TimeRule::lambda);
  if (spacing == Spacing::linspace) return linspace(r, rule, calls, last);
  if (spacing == Spacing::trailing && r.compat) {
    return numpy_trailing(last, r.levels.schedule().T(), calls);
  }
  const auto whole = spacing == Spacing::optimal
                         ? optimal_times(bound_costs(r.levels.schedule(), r.view.eps_error), calls)
                         : spaced_times(last, calls, spacing);
  std::vector<double> times;
  for (const int t : whole) times.push_back(network_time(t));
  return times;
}

}  // namespace ddpm
