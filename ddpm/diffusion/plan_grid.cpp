// From a spec's spacing to levels.
#include <algorithm>
#include <charconv>
#include <cmath>

#include "ddpm/base/error.h"
#include "ddpm/base/exact.h"
#include "ddpm/diffusion/plan_request.h"

namespace ddpm {
namespace {

constexpr int kMostCalls = 100'000;  // where the schedule's T is no bound
constexpr std::string_view kSpacings[] = {"uniform",  "quadratic",   "leading",
                                          "linspace", "trailing",    "optimal",
                                          "karras",   "exponential", "polyexponential"};
constexpr std::string_view kEnds[] = {"leading", "linspace", "trailing"};

bool of_levels(Spacing spacing) { return spacing >= Spacing::karras; }

// `times=999/500/0`.
std::vector<double> listed_times(const Request& r, std::string_view text, TimeRule rule) {
  std::vector<double> times;
  const double last = network_time(r.levels.schedule().T());
  const char* at = text.data();
  const char* end = at + text.size();
  while (true) {
    double time = -1;
    const auto [stop, error] = std::from_chars(at, end, time);
    const bool number = error == std::errc() && (stop == end || *stop == '/');
    const bool fits = time >= 0 && time <= (times.empty() ? last : times.back()) &&
                      (times.empty() || time < times.back()) &&
                      (rule != TimeRule::index || time == std::rint(time));
    if (!number || !fits) {
      throw Error(
          "[plan] times of '{}': got '{}', expected decreasing {}times in {}..0, as the network "
          "is fed; try times={}/{}/0",
          r.spec.text(), text, rule == TimeRule::index ? "whole " : "", last, last,
          std::rint(last / 2));
    }
    times.push_back(time);
    if (stop == end) return times;
    at = stop + 1;
  }
}

// How many of the schedule's times have log(signal / noise) >= lambda_min: they are t = 1..that.
int times_above(const Request& r) {
  const auto lambda_min = r.spec.number("lambda_min");
  int last = r.levels.schedule().T();
  if (!lambda_min) return last;
  while (last > 0 && -exact::log(r.levels.finite(last).rho) < *lambda_min) --last;
  if (last == 0) {
    throw Error("[plan] lambda_min of '{}': got {}, which no time reaches; try lambda_min=-5.1",
                r.spec.text(), *lambda_min);
  }
  return last;
}

Spacing spacing_of(const Request& r, TimeRule rule) {
  const Spacing usual = r.sampler == "ald"        ? Spacing::exponential
                        : rule != TimeRule::index ? Spacing::linspace
                        : r.compat                ? Spacing::leading
                                                  : Spacing::uniform;
  const auto choice = r.spec.choice("spacing", kSpacings);
  return choice ? static_cast<Spacing>(*choice) : usual;
}

void check_calls(const Request& r, int calls, int most, int usual) {
  if (calls >= 1 && calls <= most) return;
  throw Error(
      "[plan] {}: got {} network calls, expected 1..{}; try --plan {}:{} or a model trained with "
      "more steps",
      r.sampler, calls, most, r.sampler, calls < 1 ? std::min(usual, most) : most);
}

// The rho at way = 0 (max) to 1 (min).
double rho_at(Spacing spacing, double way, double max, double min, double curve) {
  switch (spacing) {
    case Spacing::karras: {  // Karras et al. 2022, Eq. (5)
      const double a = exact::pow(max, 1 / curve), b = exact::pow(min, 1 / curve);
      return exact::pow(a + way * (b - a), curve);
    }
    case Spacing::exponential:
      curve = 1;
      [[fallthrough]];
    default: {  // log rho, bent (k-diffusion's polyexponential)
      const double ramp = way >= 1 ? 0 : exact::pow(1 - way, curve);
      const double low = exact::log(min);
      return exact::exp(low + ramp * (exact::log(max) - low));
    }
  }
}

struct Range {
  double max, min;
};

// Between which levels karras and its like run.
Range range_of(const Request& r, int calls) {
  double high = network_time(r.levels.schedule().T()), low = 0;
  if (const auto i = r.spec.choice("ends", kEnds)) {
    const auto ends = static_cast<Spacing>(static_cast<int>(Spacing::leading) + *i);
    const auto times = network_times(r, TimeRule::sigma, ends, calls, r.levels.schedule().T());
    high = times.front();
    low = times.back();
  }
  const Range range = {r.number("sigma_max", r.levels.at_time(high).rho),
                       r.number("sigma_min", r.levels.at_time(low).rho)};
  if (!(0 < range.min && range.min <= range.max)) {
    throw Error(
        "[plan] {}: got sigma_min = {}, sigma_max = {}, expected 0 < sigma_min <= sigma_max",
        r.sampler, range.min, range.max);
  }
  return range;
}

// diffusers' DPM, UniPC and DEIS feed whole times: Karras' are rounded (DPM with the cosine
// schedule: cut), the others cut.
double compat_time(const Request& r, Spacing spacing, double time) {
  const bool cosine = r.levels.schedule().spec().starts_with("cosine");
  const bool multistep = r.sampler == "dpmpp" && !r.yes("singlestep", false);
  const bool round = spacing == Spacing::karras && !(cosine && multistep);
  return round ? std::rint(time) : std::floor(time);
}

std::vector<Level> spaced_levels(const Request& r, TimeRule rule, Spacing spacing, int calls,
                                 bool to_zero) {
  const auto [max, min] = range_of(r, calls);
  const double curve = r.number("rho", spacing == Spacing::karras ? 7 : 1, 1e-3, 1e3);
  // Ending at sigma_min, the lowest level is the end and no call; diffusers calls there in vain.
  const int steps = to_zero || r.compat ? calls - 1 : calls;
  std::vector<Level> levels;
  for (int i = 0; i < calls; ++i) {
    const double way = steps == 0 ? 0 : static_cast<double>(i) / steps;
    levels.push_back(r.levels.at_rho(rho_at(spacing, way, max, min, curve)));
    if (r.compat && rule == TimeRule::lambda) {
      levels.back().time = compat_time(r, spacing, levels.back().time);
    }
  }
  return levels;
}

Level level_at(const Request& r, TimeRule rule, double time) {
  if (rule != TimeRule::index) return r.levels.at_time(time);
  if (time >= 0) return r.levels.whole(static_cast<int>(time) + 1);
  Level level = r.levels.whole(r.levels.schedule().T());  // diffusers: alphas_cumprod[-1]
  level.time = time;
  return level;
}

// diffusers begins at N(0, rho^2) unless the spacing is "leading"; a model of x / signal, x of
// variance 1, has rho^2 + 1.
double initial_scale(const Request& r, double rho, Spacing spacing) {
  const auto ends = r.spec.choice("ends", kEnds);
  const bool leading = of_levels(spacing) ? ends && *ends == 0 : spacing == Spacing::leading;
  return r.compat && !leading ? rho : std::sqrt(rho * rho + 1);
}

Level end_of(const Request& r, TimeRule rule, Spacing spacing, const std::vector<Level>& points,
             bool to_zero) {
  if (to_zero) return r.levels.whole(0);
  if (!of_levels(spacing)) return r.levels.finite(1);
  if (r.compat) return rule == TimeRule::sigma ? r.levels.finite(1) : points.back();
  return r.levels.at_rho(range_of(r, static_cast<int>(points.size())).min);
}

bool ends_at_zero(const Request& r) {
  constexpr std::string_view kFinals[] = {"zero", "sigma_min"};
  const std::size_t usual = r.compat && r.sampler == "deis" ? 1 : 0;
  return r.spec.choice("final", kFinals).value_or(usual) == 0;
}

std::vector<double> chosen_times(const Request& r, TimeRule rule, Spacing spacing, int usual,
                                 int last) {
  if (const auto text = r.spec.value("times")) {
    std::vector<double> times = listed_times(r, *text, rule);
    const int count = static_cast<int>(times.size());
    if (r.spec.value("spacing") || r.spec.count().value_or(count) != count) {
      throw Error(
          "[plan] times of '{}': got {} times, expected no spacing and as many calls; try {}",
          r.spec.text(), count, r.sampler);
    }
    return times;
  }
  const bool dropped =
      rule == TimeRule::lambda && (spacing == Spacing::linspace || spacing == Spacing::leading);
  const int most = std::max(dropped ? last - 1 : last, 1);
  const int calls = r.spec.count().value_or(std::min(usual, most));
  check_calls(r, calls, most, usual);
  return network_times(r, rule, spacing, calls, last);
}

}  // namespace

Grid make_grid(const Request& r, TimeRule rule, int usual_calls) {
  const Spacing spacing = spacing_of(r, rule);
  const bool to_zero = ends_at_zero(r);
  std::vector<Level> points;
  if (of_levels(spacing) && !r.spec.value("times")) {
    const int calls = r.spec.count().value_or(std::min(usual_calls, r.levels.schedule().T()));
    check_calls(r, calls, kMostCalls, usual_calls);
    points = spaced_levels(r, rule, spacing, calls, to_zero);
  } else {
    for (const double time : chosen_times(r, rule, spacing, usual_calls, times_above(r))) {
      points.push_back(level_at(r, rule, time));
    }
  }
  const Level end = end_of(r, rule, spacing, points, to_zero);
  const double scale = initial_scale(r, points.front().rho, spacing);
  return {std::move(points), end, scale};
}

}  // namespace ddpm
