// What the network's output means, and the linear maps between the meanings.
#pragma once

#include <string_view>

#include "ddpm/diffusion/schedule.h"

namespace ddpm {

/// eps: Sec. 3.2; x0 ("sample" in diffusers); v: Salimans & Ho 2022, sqrt(ab) eps - sqrt(1 - ab)
/// x0; mu: the posterior mean of Eq. (7); score: grad log q(x_t) = -eps / sqrt(1 - ab), Sec. 3.2.
enum class Prediction { eps, x0, v, mu, score };

/// The variance of p(x_{t-1} | x_t). fixed_small, fixed_large: beta-tilde_t or beta_t, Sec. 3.2;
/// learned: its logarithm is C further channels of the output; learned_range: they are the place
/// between the two fixed ones (Nichol & Dhariwal 2021, Eq. (15)); optimal: one number a step,
/// fitted (Bao et al. 2022, Analytic-DPM). variance.h computes them.
enum class Variance { fixed_small, fixed_large, learned, learned_range, optimal };

/// a = a_x * x_t + a_out * output.
struct Linear {
  double x, out;
};

/// x_t = signal x0 + noise eps (Eq. (4)), at a whole time or between two.
struct Mix {
  double t;  // the paper's; messages name it
  double signal, noise;
  double variance;      // noise^2 to the last digit
  Posterior down = {};  // Eq. (7) of the step to t - 1, which mu alone is read by
};

/// How x0 and eps are read from x_t and an output of the given meaning. x0_from throws Error for
/// eps and score where the signal is 0 (zero terminal SNR).
Linear x0_from(const Mix& mix, Prediction prediction);
Linear eps_from(const Mix& mix, Prediction prediction);

/// At t in 1..T of a schedule.
Linear x0_from(const Schedule& schedule, int t, Prediction prediction);
Linear eps_from(const Schedule& schedule, int t, Prediction prediction);

/// target = x0 * to.x0 + eps * to.eps: what a network of this meaning is trained to put out. t
/// in 1..T.
struct Target {
  double x0, eps;
};
Target target_of(const Schedule& schedule, int t, Prediction prediction);

inline constexpr std::string_view kVarianceNames[] = {"fixed_small", "fixed_large", "learned",
                                                      "learned_range", "optimal"};

/// "eps", "x0", "v", "mu", "score"; "fixed_small", "fixed_large", "learned", "learned_range",
/// "optimal". Throws Error that lists the known names.
Prediction parse_prediction(std::string_view name);
std::string_view to_string(Prediction prediction);
Variance parse_variance(std::string_view name);
std::string_view to_string(Variance variance);

}  // namespace ddpm
