// How good a network's samples are, asked while it trains. The loop draws them; what they are worth
// is said by whoever starts the run.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "ddpm/base/thread_pool.h"
#include "ddpm/engine/engine.h"
#include "ddpm/train/config.h"
#include "ddpm/train/task.h"

namespace ddpm {

/// Samples first .. first + n - 1, [n, C, H, W] in [-1, 1], not clipped; n <= 16.
using DrawSamples = std::function<std::vector<float>(std::int64_t first, int n)>;

/// A distance between samples and held-out images: the lower, the better.
class Scorer {
 public:
  virtual ~Scorer() = default;

  /// The distance and what it is measured in; numbers of one name compare.
  virtual std::string name() const = 0;

  /// Of samples 0 .. count - 1, each drawn once. The same bits for any number of threads. What
  /// `draw` throws passes through. Throws Error when there is no such number.
  virtual double score(std::int64_t count, const DrawSamples& draw) = 0;
};

/// Called before the run folder is touched. Throws Error when features or data do not fit. `pool`
/// outlives the result.
using MakeScorer = std::function<std::unique_ptr<Scorer>(const RunConfig&, ThreadPool& pool)>;

struct Score {
  double value = 0;
  std::string of;  // what the number is; only those of one text compare

  bool operator==(const Score&) const = default;
};

/// The lowest score up to some step, the first of equals.
struct BestScore {
  Score score;
  std::int64_t step = 0;

  bool operator==(const BestScore&) const = default;
};

/// Whether `score` beats what is known; one of another text always does.
bool is_better(const Score& score, const std::optional<BestScore>& best);

/// "FID (...) of 1000 images by ddim:50 to DATA".
std::string score_name(const RunConfig& config, const Scorer& scorer);

/// The config's score_plan, or its sample_plan where it has none.
const std::string& score_plan(const TrainConfig& config);

/// Hears how many samples are drawn.
using ScoreProgress = std::function<void(std::int64_t drawn)>;

/// The scorer's number of config.train.score_count samples of the run's seed, in turn of each class
/// if there are any: the same images as `ddpm metrics MODEL` draws for that seed. Returns none when
/// stopped.
std::optional<Score> score_samples(const RunConfig& config, const Plan& plan, Denoiser& denoiser,
                                   Scorer& scorer, const StopRequest& stop,
                                   const ScoreProgress& progress);

}  // namespace ddpm
