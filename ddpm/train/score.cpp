#include "ddpm/train/score.h"

#include <cmath>

#include "ddpm/base/error.h"
#include "ddpm/engine/runner.h"

namespace ddpm {
namespace {

struct Stopped {};

std::vector<int> labels_of(int classes, std::int64_t first, int n) {
  std::vector<int> labels;
  for (std::int64_t i = first; classes > 0 && i < first + n; ++i) {
    labels.push_back(static_cast<int>(i % classes));
  }
  return labels;
}

}  // namespace

bool is_better(const Score& score, const std::optional<BestScore>& best) {
  return !best || best->score.of != score.of || score.value < best->score.value;
}

const std::string& score_plan(const TrainConfig& config) {
  return config.score_plan.empty() ? config.sample_plan : config.score_plan;
}

std::string score_name(const RunConfig& config, const Scorer& scorer) {
  return fmt::format("{} of {} images by {} to {}", scorer.name(), config.train.score_count,
                     score_plan(config.train), config.data.eval);
}

std::optional<Score> score_samples(const RunConfig& config, const Plan& plan, Denoiser& denoiser,
                                   Scorer& scorer, const StopRequest& stop,
                                   const ScoreProgress& progress) {
  const RowObserver go_on = [&](int, std::span<const float>, std::span<const float>) {
    return !stop();
  };
  const DrawSamples draw = [&](std::int64_t first, int n) {
    const auto image = static_cast<std::uint64_t>(first);
    const std::uint64_t seed = config.train.seed;
    std::vector<float> x(n * denoiser.shape().size());
    start_noise(seed, image, denoiser.shape(), x);
    if (!run_plan(plan, denoiser, x, philox_noise(seed, image), go_on,
                  labels_of(config.net.num_classes, first, n))) {
      throw Stopped();
    }
    progress(first + n);
    return x;
  };
  try {
    Score score{scorer.score(config.train.score_count, draw), score_name(config, scorer)};
    if (std::isfinite(score.value)) return score;
    throw Error(ExitCode::numeric, "[train] score: got {}, expected a finite number", score.value);
  } catch (const Stopped&) {
    return std::nullopt;
  }
}

}  // namespace ddpm
