#include "ddpm/diffusion/respacing.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <string_view>
#include <utility>

#include "ddpm/base/error.h"
#include "ddpm/diffusion/spacing.h"
#include "ddpm/diffusion/spec.h"

namespace ddpm {
namespace {

[[noreturn]] void refuse(const std::string& text, int T, std::string_view why) {
  throw Error(
      "[diffusion] respacing of {} steps: got '{}', expected {}; try uniform:{}, a list as 10,20 "
      "or "
      "ddim{}",
      T, text, why, std::min(T, 50), std::min(T, 50));
}

// The numbers of `10,20,30`; empty when it is no such list.
std::vector<int> counts_in(std::string_view text) {
  std::vector<int> counts;
  const char* at = text.data();
  const char* end = at + text.size();
  while (true) {
    int count = 0;
    const auto [stop, error] = std::from_chars(at, end, count);
    if (error != std::errc() || count < 0 || (stop != end && *stop != ',')) return {};
    counts.push_back(count);
    if (stop == end) return counts;
    at = stop + 1;
  }
}

// Appends `count` times of the `size` from `first` on. As improved-diffusion has it, the place is a
// sum of double strides, rounded half to even.
void append_section(std::vector<int>& times, int first, int size, int count) {
  const double stride = count <= 1 ? 1 : (size - 1) / (count - 1.0);
  double place = 0;
  for (int i = 0; i < count; ++i, place += stride) {
    times.push_back(first + static_cast<int>(std::rint(place)));
  }
}

std::vector<int> sections(int T, const std::vector<int>& counts, const std::string& text) {
  const int n = static_cast<int>(counts.size());
  if (n > T) refuse(text, T, "at most as many sections as steps");
  std::vector<int> times;
  int first = 1;
  for (int i = 0; i < n; ++i) {
    const int size = T / n + (i < T % n ? 1 : 0);
    if (counts[i] > size) {
      refuse(text, T, fmt::format("at most {} steps of section {}", size, i + 1));
    }
    append_section(times, first, size, counts[i]);
    first += size;
  }
  if (times.empty()) refuse(text, T, "at least one step");
  return times;
}

std::vector<int> every_kth(int T, std::string_view number, const std::string& text) {
  const std::vector<int> counts = counts_in(number);
  if (counts.size() != 1) refuse(text, T, "a number after ddim");
  for (int k = 1; k < T; ++k) {
    if ((T - 1) / k + 1 != counts[0]) continue;
    std::vector<int> times;
    for (int t = 1; t <= T; t += k) times.push_back(t);
    return times;
  }
  refuse(text, T, "a number of steps that a whole stride gives");
}

std::vector<int> named(int T, const std::string& text) {
  constexpr std::string_view kNames[] = {"uniform", "quadratic"};
  const Spec spec("respacing", text);
  const auto spacing = spec.choose_name(kNames) == 0 ? Spacing::uniform : Spacing::quadratic;
  if (!spec.count() || text.find(',') != std::string::npos) {
    refuse(text, T, "a number of steps and no more");
  }
  std::vector<int> times = spaced_times(T, *spec.count(), spacing);
  std::ranges::sort(times);
  return times;
}

}  // namespace

Respaced respace(const Schedule& schedule, std::vector<int> times) {
  std::vector<double> betas;
  int before = 0;
  for (const int t : times) {
    if (t <= before || t > schedule.T()) {
      throw Error("[diffusion] respace: got time {} after {}, expected increasing times in 1..{}",
                  t, before, schedule.T());
    }
    betas.push_back(schedule.jump_beta(before, t));
    before = t;
  }
  return {Schedule::from_betas(std::move(betas), "respaced"), std::move(times)};
}

std::vector<int> parse_respacing(int T, const std::string& text) {
  DDPM_CHECK(T >= 1, "T = {}", T);
  const std::vector<int> counts = counts_in(text);
  if (!counts.empty()) return sections(T, counts, text);
  if (text.starts_with("ddim")) return every_kth(T, std::string_view(text).substr(4), text);
  return named(T, text);
}

}  // namespace ddpm
