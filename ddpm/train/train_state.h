// A learner's numbers as files of a checkpoint and back. The average (EMA) is the model folder's
// own weight file; train_state/ holds the raw weights, Adam's moments, what a time sampler has
// learned and the best score. Everything else in a run follows from (seed, step).
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "ddpm/diffusion/time_sampler.h"
#include "ddpm/engine/engine.h"
#include "ddpm/train/checkpoint.h"
#include "ddpm/train/score.h"

namespace ddpm {

/// Where a diffusion model's folder keeps the averaged weights.
inline constexpr const char* kWeightFile = "unet/diffusion_pytorch_model.safetensors";
/// The keys of the config that decide the result (run_config.h).
inline constexpr const char* kConfigFile = "train_state/config.toml";

/// What a checkpoint is made of; references outlive its files.
struct CheckpointParts {
  Learner& learner;
  const TimeSampler& times;
  std::map<std::string, std::string> model;  // the folder of the average
  CheckpointInfo info;
  std::string config;
  std::optional<BestScore> best;  // before the checkpoint's step
};

std::vector<CheckpointFile> checkpoint_files(CheckpointParts parts);

/// The best score that a verified checkpoint knows. Throws Error (bad_input).
std::optional<BestScore> read_best_score(const std::filesystem::path& checkpoint);

/// Writes a verified checkpoint's weights, average and moments into the learner, and its state of
/// the time sampler. Throws Error (bad_input) that names tensors that are missing, unknown or of
/// another shape.
void restore(Learner& learner, TimeSampler& times, const std::filesystem::path& checkpoint,
             const std::string& weight_file = kWeightFile);

/// About the bytes of one checkpoint of so many parameters.
std::uint64_t checkpoint_bytes(std::size_t parameters);

}  // namespace ddpm
