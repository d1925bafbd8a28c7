// The probability flow: the ODE that carries the data's distribution to N(0, 1), and the likelihood
// that follows from it (Song et al. 2021, Sec. 4.3 and App. D).
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "ddpm/base/philox.h"
#include "ddpm/diffusion/rk45.h"
#include "ddpm/diffusion/time_line.h"

namespace ddpm {

/// What the flow asks of a model for one image at real t (a network is fed t - 1): eps at x, and
/// vjp = v^T (d eps / d x). All spans have x's length.
using EpsAndVjp = std::function<void(double t, std::span<const double> x, std::span<const double> v,
                                     std::span<double> eps, std::span<double> vjp)>;

/// dx/dt = -beta(t)/2 (x - eps / sqrt(1 - alpha_bar(t))).
void flow_drift(const TimeLine& line, double t, std::span<const double> x,
                std::span<const double> eps, std::span<double> dx);

/// Directions v for which E v^T J v is the trace of J. weight * sum_v v^T J v estimates it.
struct Probes {
  std::vector<std::vector<double>> directions;
  double weight = 1;
};
/// Hutchinson 1990: `count` vectors of independent +-1; unbiased, with standard deviation
/// sqrt(2 / count) |off-diagonal symmetric part of J|. Vector k is lane k of the key.
Probes random_probes(NoiseKey key, std::size_t dimensions, int count = 1);
/// Unit vectors: the trace itself, in `dimensions` calls of the model an evaluation.
Probes exact_probes(std::size_t dimensions);

struct FlowLikelihood {
  double log_density = 0;  // nats, of p_start at x
  double prior = 0;        // log N(x_end; 0, 1)
  double change = 0;       // integral of the divergence of the drift: log_density = prior + change
  Rk45Stats stats;
};

/// log p(x) of one image, taken as x_start (start in (0, end): score_sde takes 1e-5 of the whole),
/// by rk45 over x and the divergence together, up to line.end(). x: data plus uniform noise of a
/// level's width, for a bound on the likelihood of the levels.
FlowLikelihood flow_likelihood(const TimeLine& line, const EpsAndVjp& model,
                               std::span<const double> x, const Probes& probes, double start,
                               const Rk45Options& options = {});

/// -log_density in bits per dimension of 8-bit levels that lie 1/128 apart, as (2 level + 2 u) /
/// 256
/// - 1, u uniform in [0, 1): log2(128) = 7 bits are what the density's unit of length adds.
double flow_bits_per_dim(double log_density, std::size_t dimensions);

}  // namespace ddpm
