// Grids of samples drawn while training.
#pragma once

#include <optional>

#include "ddpm/engine/engine.h"
#include "ddpm/image/image.h"
#include "ddpm/train/evaluate.h"

namespace ddpm {

/// Images 0..count - 1 of `seed`, drawn by `plan`: in a grid about as wide as it is high, or, of a
/// network of num_classes > 0 classes, a row a class (of the first `count`, if there are more). The
/// same images as `ddpm sample` draws for that seed and label. Returns none when stopped.
std::optional<Image> sample_grid(const Plan& plan, Denoiser& denoiser, int count,
                                 std::uint64_t seed, int num_classes, const StopRequest& stop = {});

}  // namespace ddpm
