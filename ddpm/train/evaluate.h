// The loss on held-out images at fixed t and noise: one number that falls as a run learns,
// comparable between runs.
#pragma once

#include <optional>

#include "ddpm/data/dataset.h"
#include "ddpm/diffusion/prediction.h"
#include "ddpm/train/task.h"

namespace ddpm {

struct HeldOutOptions {
  int count = 512;  // images; all, if fewer
  Prediction prediction = Prediction::eps;
  Variance variance = Variance::fixed_large;
  bool bound = false;  // bits_per_dim too, for one more network call an image
};

/// The loss is the mean L_simple of the output's mean part. Image i of a fixed shuffle gets the
/// i-th of `count` equal parts of 1..T, its place within the part and its noise by Philox with seed
/// 0: the same for every run and every step. The bound is the images' mean prior and decoder terms
/// and T times the mean of L_{t-1} at those t above 1, unbiased. Returns none when stopped.
std::optional<HeldOut> evaluate_held_out(const Dataset& data, const Schedule& schedule,
                                         const HeldOutOptions& options, Denoiser& denoiser,
                                         const StopRequest& stop = {});

/// The time of evaluation image i of count.
int evaluation_time(int i, int count, int T);

}  // namespace ddpm
