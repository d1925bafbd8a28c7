// How schedules are written: `name:steps,key=value`.
#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <string_view>
#include <vector>

#include "ddpm/base/error.h"
#include "ddpm/diffusion/log_snr.h"
#include "ddpm/diffusion/schedule.h"
#include "ddpm/diffusion/spec.h"

namespace ddpm {
namespace {

constexpr std::string_view kNames[] = {"linear",        "cosine",  "constant", "quadratic",
                                       "scaled_linear", "sigmoid", "warmup10", "warmup50",
                                       "jsd",           "logsnr",  "table"};
constexpr std::string_view kZeroSnr = "zero_snr";  // a key of every kind

int steps(const Spec& spec) { return spec.count().value_or(1000); }

// The numbers of `key=0.1/0.2/0.3`.
std::vector<double> numbers(const Spec& spec, std::string_view key, std::string_view text) {
  std::vector<double> list;
  const char* at = text.data();
  const char* end = at + text.size();
  while (true) {
    double number = 0;
    const auto [stop, error] = std::from_chars(at, end, number);
    if (error != std::errc() || !std::isfinite(number) || (stop != end && *stop != '/')) {
      throw Error("[schedule] {} of '{}': got '{}', expected numbers; try {}=0.1/0.2", key,
                  spec.text(), text, key);
    }
    list.push_back(number);
    if (stop == end) return list;
    at = stop + 1;
  }
}

template <class Make>
Schedule parse_ends(const Spec& spec, Make make) {
  constexpr std::string_view kKeys[] = {"beta_1", "beta_T", kZeroSnr};
  spec.check_keys(kKeys);
  return make(steps(spec), spec.number("beta_1").value_or(1e-4),
              spec.number("beta_T").value_or(0.02));
}

Schedule parse_linear(const Spec& spec) { return parse_ends(spec, Schedule::linear); }
Schedule parse_quadratic(const Spec& spec) { return parse_ends(spec, Schedule::quadratic); }
Schedule parse_sigmoid(const Spec& spec) { return parse_ends(spec, Schedule::sigmoid); }
Schedule parse_warmup10(const Spec& spec) {
  return parse_ends(spec, [](int T, double a, double b) { return Schedule::warmup(T, 0.1, a, b); });
}
Schedule parse_warmup50(const Spec& spec) {
  return parse_ends(spec, [](int T, double a, double b) { return Schedule::warmup(T, 0.5, a, b); });
}

Schedule parse_cosine(const Spec& spec) {
  constexpr std::string_view kKeys[] = {"s", "max_beta", kZeroSnr};
  spec.check_keys(kKeys);
  return Schedule::cosine(steps(spec), spec.number("s").value_or(0.008),
                          spec.number("max_beta").value_or(0.999));
}

Schedule parse_constant(const Spec& spec) {
  constexpr std::string_view kKeys[] = {"beta", kZeroSnr};
  spec.check_keys(kKeys);
  const auto beta = spec.number("beta");
  if (!spec.count() || !beta) {
    throw Error(
        "[schedule] constant: got '{}', expected steps and beta; try constant:100,beta=0.01",
        spec.text());
  }
  return Schedule::constant(*spec.count(), *beta);
}

Schedule parse_jsd(const Spec& spec) {
  constexpr std::string_view kKeys[] = {kZeroSnr};
  spec.check_keys(kKeys);
  return Schedule::jsd(steps(spec));
}

Schedule parse_log_snr(const Spec& spec) {
  constexpr std::string_view kKeys[] = {"max", "min", "knots", kZeroSnr};
  spec.check_keys(kKeys);
  const auto knots = spec.value("knots");
  if (!knots) {
    return LogSnr::linear(spec.number("max").value_or(13.3), spec.number("min").value_or(-5))
        .schedule(steps(spec));
  }
  if (spec.value("max") || spec.value("min")) {
    throw Error("[schedule] logsnr: got '{}', expected knots or max and min", spec.text());
  }
  return LogSnr(numbers(spec, "knots", *knots)).schedule(steps(spec));
}

Schedule parse_table(const Spec& spec) {
  constexpr std::string_view kKeys[] = {"betas", kZeroSnr};
  spec.check_keys(kKeys);
  const auto text = spec.value("betas");
  if (!text) {
    throw Error("[schedule] table: got '{}', expected betas; try table,betas=0.1/0.2", spec.text());
  }
  const std::vector<double> betas = numbers(spec, "betas", *text);
  if (spec.count() && betas.size() != static_cast<std::size_t>(*spec.count())) {
    throw Error("[schedule] table: got {} betas, expected {}; try table,betas=...", betas.size(),
                *spec.count());
  }
  return Schedule::table(betas);
}

}  // namespace

bool Schedule::is_named(const std::string& text) {
  const std::string name = text.substr(0, text.find_first_of(":,"));
  return std::ranges::find(kNames, name) != std::end(kNames);
}

Schedule Schedule::parse(const std::string& text) {
  constexpr std::array kParsers = {parse_linear,    parse_cosine,  parse_constant, parse_quadratic,
                                   parse_quadratic, parse_sigmoid, parse_warmup10, parse_warmup50,
                                   parse_jsd,       parse_log_snr, parse_table};
  static_assert(std::size(kNames) == kParsers.size());
  constexpr std::string_view kNoYes[] = {"no", "yes"};
  const Spec spec("schedule", text);
  const Schedule schedule = kParsers[spec.choose_name(kNames)](spec);
  const bool zero = spec.choice(kZeroSnr, kNoYes).value_or(0) == 1;
  return zero ? schedule.with_zero_terminal_snr() : schedule;
}

}  // namespace ddpm
