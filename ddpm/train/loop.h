// The loop behind train(), with its parts given: tests put in a small learner that is not a
// network.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "ddpm/base/thread_pool.h"
#include "ddpm/train/run_folder.h"
#include "ddpm/train/train_state.h"
#include "ddpm/train/trainer.h"

namespace ddpm {

struct TrainParts {
  const Dataset& data;
  const Dataset* held_out;  // null: no evaluation
  const Schedule& schedule;
  Learner& learner;
  ThreadPool& pool;
  /// A network with these weights, for evaluation and samples.
  std::function<std::unique_ptr<Denoiser>(const Params& weights, int max_batch)> denoiser;
  /// The model folder of the averaged weights.
  std::function<std::map<std::string, std::string>(const Params& average)> model_files;
  /// Where it keeps them.
  std::string weight_file = kWeightFile;
  Scorer* scorer = nullptr;  // null: no scores
};

/// train() from the run folder on. Errors as train().
TrainOutcome train_with(const RunConfig& config, const TrainOptions& options, RunFolder& folder,
                        const TrainParts& parts, TrainObserver& observer);

}  // namespace ddpm
