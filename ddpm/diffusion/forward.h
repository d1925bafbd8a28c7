// The forward process q, as a chain and in closed form.
#pragma once

#include <span>

#include "ddpm/diffusion/schedule.h"

namespace ddpm {

/// x_t = sqrt(alpha_bar_t) x_0 + sqrt(1 - alpha_bar_t) eps, Eq. (4). t in 0..T. All spans have one
/// length; x_t may be x0 or eps.
void q_sample(const Schedule& schedule, int t, std::span<const float> x0,
              std::span<const float> eps, std::span<float> x_t);

/// One step of the chain: x_t = sqrt(1 - beta_t) x_{t-1} + sqrt(beta_t) z, Eq. (2). t in 1..T.
void q_step(const Schedule& schedule, int t, std::span<const float> x_previous,
            std::span<const float> z, std::span<float> x_t);

}  // namespace ddpm
