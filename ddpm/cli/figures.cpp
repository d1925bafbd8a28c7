#include "ddpm/cli/figures.h"

#include <algorithm>
#include <cstdlib>

#include "ddpm/base/error.h"
#include "ddpm/diffusion/spacing.h"

namespace ddpm::cli {

std::vector<int> figure_times(const Schedule& schedule, int steps) {
  return spaced_times(schedule.T(), steps > 0 ? steps : schedule.T(), Spacing::linspace);
}

std::int64_t rows_from(std::span<const int> times, int from) {
  return std::ranges::count_if(times, [&](int t) { return t <= from; });
}

std::vector<int> even_choice(std::span<const int> times, int count) {
  const std::int64_t last = std::ssize(times) - 1, parts = std::max(count - 1, 1);
  std::vector<int> chosen;
  for (int k = 0; k < count; ++k) {
    const int t = times[static_cast<std::size_t>((2 * k * last + parts) / (2 * parts))];
    if (chosen.empty() || chosen.back() != t) chosen.push_back(t);
  }
  return chosen;
}

int nearest_time(std::span<const int> times, int t) {
  return *std::ranges::min_element(times, {}, [&](int time) { return std::abs(time - t); });
}

Chain::Chain(const Model& model, Denoiser& denoiser, std::vector<int> times, std::int64_t total,
             std::uint64_t seed)
    : denoiser_(denoiser),
      times_(std::move(times)),
      plan_(ddpm_plan(model.schedule, times_, model.view)),
      seed_(seed),
      progress_("draw", total) {}

void Chain::run(std::span<float> x, int from, std::uint64_t first, std::uint64_t stride,
                const See& see) {
  const auto skip = std::ssize(times_) - rows_from(times_, from);
  const Plan rest(plan_.begin() + skip, plan_.end());
  const NoiseSource noise = [&](int image, int row, std::span<float> z) {
    fill_normal({.seed = seed_,
                 .purpose = Purpose::sample_step,
                 .image = first + stride * static_cast<std::uint64_t>(image),
                 .step = static_cast<std::uint32_t>(skip + row)},
                z);
  };
  run_plan(rest, denoiser_, x, noise, [&](int row, auto state, auto x0) {
    const auto at = static_cast<std::size_t>(skip + row);
    const int next = at + 1 < times_.size() ? times_[at + 1] : 0;
    if (see) see({times_[at], next, state, x0});
    progress_.update(++done_);
    watch_.check();
    return true;
  });
}

}  // namespace ddpm::cli
