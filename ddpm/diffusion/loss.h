// L_simple and its derivative in closed form.
#pragma once

#include <span>

#include "ddpm/diffusion/prediction.h"

namespace ddpm {

/// The target of Eq. (14) for one image: what the network should put out for x_t made from x0 and
/// eps. t in 1..T.
void make_target(const Schedule& schedule, int t, Prediction prediction, std::span<const float> x0,
                 std::span<const float> eps, std::span<float> target);

/// Mean over the elements of (target - out)^2 for one image, summed in double in a fixed order (Eq.
/// (14), L_simple). d_out = 2 (out - target) / elements * scale: the derivative of scale * loss;
/// with scale = 1 / batch, of the batch's mean.
double simple_loss(std::span<const float> target, std::span<const float> out, double scale,
                   std::span<float> d_out);

}  // namespace ddpm
