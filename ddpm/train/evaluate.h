// The loss on held-out images at fixed t and noise: one number that falls as a run learns,
// comparable between runs.
#pragma once

#include <functional>
#include <optional>

#include "ddpm/data/dataset.h"
#include "ddpm/diffusion/prediction.h"
#include "ddpm/engine/engine.h"

namespace ddpm {

/// Asked between batches and sampler rows; true = give up.
using StopRequest = std::function<bool()>;

/// Mean L_simple of `count` held-out images (or all, if fewer). Image i of a fixed shuffle gets the
/// i-th of `count` equal parts of 1..T, its place within the part and its noise by Philox with seed
/// 0: the same for every run and every step. Returns none when stopped.
std::optional<double> held_out_loss(const Dataset& data, int count, const Schedule& schedule,
                                    Prediction prediction, Denoiser& denoiser,
                                    const StopRequest& stop = {});

/// The time of evaluation image i of count.
int evaluation_time(int i, int count, int T);

}  // namespace ddpm
