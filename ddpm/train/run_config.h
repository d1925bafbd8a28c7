// Which part of a config decides a run's result, and so may not change when the run is resumed.
#pragma once

#include <string>
#include <vector>

#include "ddpm/train/config.h"

namespace ddpm {

/// config_text() without the keys that a resumed run may change: how long to train and to let the
/// learning rate fall, when to save and draw, what to score and keep, how many images at a time.
/// Checkpoints carry it.
std::string result_config(const RunConfig& config);

/// Keys whose values differ between two result_config() texts, as "train.batch: 64 then, 128 now".
std::vector<std::string> config_differences(const std::string& then, const std::string& now);

}  // namespace ddpm
