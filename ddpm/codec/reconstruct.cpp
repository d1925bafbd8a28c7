// What a walk that ended somewhere looks like as an image.
#include <algorithm>
#include <cmath>

#include "ddpm/codec/group_coder.h"
#include "ddpm/diffusion/spacing.h"
#include "ddpm/engine/runner.h"

namespace ddpm {
namespace {

constexpr int kMostCalls = 50;  // of a sampler that goes on

// The first time that is at least as noisy as `snr`.
int time_of(const Schedule& schedule, double snr) {
  int t = 1;
  while (t < schedule.T() && schedule.snr(t) > snr) ++t;
  return t;
}

// x as it would be at time t: its signal as large. A step that was cut ends between two times.
std::vector<float> scaled(const Walk& walk, std::size_t item, const Schedule& schedule, int t) {
  const double snr = walk.snr(item), signal = snr / (1 + snr);
  const double factor = signal > 0 ? std::sqrt(schedule.alpha_bar(t) / signal) : 1;
  std::vector<float> x;
  for (const float value : walk.x(item)) x.push_back(static_cast<float>(value * factor));
  return x;
}

void sample(Predictor& predictor, const GroupKey& key, std::size_t item, int t, double eta,
            std::vector<float>& x) {
  const CodecModel& model = predictor.model();
  const std::vector<int> times = spaced_times(t, std::min(t, kMostCalls), Spacing::linspace);
  const Plan plan = ddim_plan(model.schedule, times, eta, model.view);
  run_plan(plan, predictor.denoiser(), x, philox_noise(key.seed, key.first_item + item));
}

}  // namespace

Item reconstruct(Predictor& predictor, const Walk& walk, std::size_t item, const GroupKey& key,
                 Recon recon) {
  std::vector<float> x0(walk.x0(item).begin(), walk.x0(item).end());
  if (!walk.fresh(item) || recon != Recon::mean) {
    const Schedule& schedule = predictor.model().schedule;
    const int t = time_of(schedule, walk.snr(item));
    std::vector<float> x = scaled(walk, item, schedule, t);
    if (recon == Recon::mean) {
      predictor.x0(t, x, x0);
    } else {
      sample(predictor, key, item, t, recon == Recon::flow ? 0 : 1, x);
      x0 = x;
    }
  }
  return levels_of(x0);
}

}  // namespace ddpm
