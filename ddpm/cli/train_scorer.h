// The score of `ddpm train`: what `ddpm metrics` says of the samples.
#pragma once

#include <functional>
#include <memory>

#include "ddpm/train/score.h"

namespace ddpm::cli {

/// The Frechet distance to the held-out images in the features that the config names. These are
/// computed here, with progress on standard error; `check` is called between them and may throw to
/// stop. Throws Error where there is no such network, or it does not take the images.
std::unique_ptr<Scorer> make_train_scorer(const RunConfig& config, ThreadPool& pool,
                                          const std::function<void()>& check);

}  // namespace ddpm::cli
