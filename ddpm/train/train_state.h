// A learner's numbers as files of a checkpoint and back. The average (EMA) is the model folder's
// own weight file; train_state/ holds the raw weights, Adam's moments and what a time sampler has
// learned. Everything else in a run follows from (seed, step).
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "ddpm/diffusion/time_sampler.h"
#include "ddpm/engine/engine.h"
#include "ddpm/train/checkpoint.h"

namespace ddpm {

/// Where the model folder keeps the averaged weights.
inline constexpr const char* kWeightFile = "unet/diffusion_pytorch_model.safetensors";
/// The keys of the config that decide the result (run_config.h).
inline constexpr const char* kConfigFile = "train_state/config.toml";

/// The files of a checkpoint of `learner`. model: model_files() of its average. The references
/// must outlive the result.
std::vector<CheckpointFile> checkpoint_files(Learner& learner, const TimeSampler& times,
                                             std::map<std::string, std::string> model,
                                             const CheckpointInfo& info, const std::string& config);

/// Writes a verified checkpoint's weights, average and moments into the learner, and its state of
/// the time sampler. Throws Error (bad_input) that names tensors that are missing, unknown or of
/// another shape.
void restore(Learner& learner, TimeSampler& times, const std::filesystem::path& checkpoint);

/// About the bytes of one checkpoint of so many parameters.
std::uint64_t checkpoint_bytes(std::size_t parameters);

}  // namespace ddpm
