// Executes a plan: the only loop over sampler steps in the project.
#pragma once

#include <functional>

#include "ddpm/base/philox.h"
#include "ddpm/engine/engine.h"

namespace ddpm {

/// After row `row` of the plan: the state and the x0 of the last call, [n, C, H, W]. Return false
/// to stop.
using RowObserver =
    std::function<bool(int row, std::span<const float> x, std::span<const float> x0)>;

/// Where z comes from; the default is Philox by (seed, image, row).
using NoiseSource = std::function<void(int image, int row, std::span<float> z)>;

NoiseSource philox_noise(std::uint64_t seed, std::uint64_t first_image);

/// x_T of image first_image + i for each of n images: standard normal, by (seed, image) alone. x:
/// [n, C, H, W].
void start_noise(std::uint64_t seed, std::uint64_t first_image, Shape shape, std::span<float> x);

/// Runs the plan on x in place. x: [n, C, H, W], standard normal (the runner multiplies it by the
/// plan's initial_scale), n <= denoiser.max_batch(). Returns false when the observer stopped it. No
/// value of an image depends on the others.
bool run_plan(const Plan& plan, Denoiser& denoiser, std::span<float> x, const NoiseSource& noise,
              const RowObserver& observer = {}, std::span<const int> label = {});

}  // namespace ddpm
