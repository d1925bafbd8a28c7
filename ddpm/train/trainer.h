// The training loop (Algorithm 1) with checkpoints that survive everything.
#pragma once

#include <atomic>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "ddpm/data/dataset.h"
#include "ddpm/engine/engine.h"
#include "ddpm/image/image.h"
#include "ddpm/train/config.h"
#include "ddpm/train/score.h"
#include "ddpm/train/task.h"

namespace ddpm {

struct StepReport {
  std::int64_t step, steps;  // 1-based; of the whole run
  double loss;               // the batch's mean
  double gradient_norm, learning_rate;
  double images_per_second, seconds_left;
};

/// What happens in a run, told to whoever shows it. Library rooms never print.
class TrainObserver {
 public:
  virtual ~TrainObserver() = default;
  virtual void on_start(std::int64_t /*first_step*/, std::int64_t /*parameters*/) {}
  virtual void on_step(const StepReport&) {}
  virtual void on_eval(std::int64_t /*step*/, const HeldOut&) {}
  virtual void on_samples(std::int64_t /*step*/, const std::filesystem::path&,
                          const Image& /*grid*/) {}
  /// Of `count` samples so many are drawn for a score.
  virtual void on_scoring(std::int64_t /*step*/, std::int64_t /*drawn*/, std::int64_t /*count*/) {}
  /// best: the lowest so far, in a run that keeps it.
  virtual void on_score(std::int64_t /*step*/, const Score&, bool /*best*/) {}
  virtual void on_checkpoint(std::int64_t /*step*/, const std::filesystem::path&) {}
  virtual void on_warning(const std::string&) {}
};

struct TrainOptions {
  std::filesystem::path run;    // the run folder
  std::string resume = "auto";  // auto: RUN/latest when there is one | none: refuse a run folder
                                // with checkpoints | a checkpoint's path
  int threads = 0;              // 0 = all
  MakeScorer make_scorer = {};  // needed where the config has score_every
  std::atomic<int>* signal = nullptr;  // set by a signal handler; SIGUSR1 = save and go on, others
                                       // = finish the step, save, return
};

struct TrainOutcome {
  std::int64_t step = 0;             // steps done
  int signal = 0;                    // that ended it; 0 = reached config.train.steps
  std::filesystem::path checkpoint;  // the newest
};

/// Trains in `options.run`: config.toml, metrics.jsonl, samples/, checkpoints/step-NNNNNNNN/,
/// latest, best. One process a folder. Throws Error: usage (folder in use, other config),
/// bad_input (data), resources (saving failed), numeric (NaN or Inf: names step, loss, gradient
/// norm, first bad tensor and the last good checkpoint).
TrainOutcome train(const RunConfig& config, const TrainOptions& options, TrainObserver& observer);

}  // namespace ddpm
