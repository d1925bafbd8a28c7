// The variational bound on -log p(x_0), term by term: Eq. (5), in bits per dimension.
#pragma once

#include <limits>
#include <span>
#include <vector>

#include "ddpm/diffusion/decoder.h"
#include "ddpm/diffusion/variance.h"

namespace ddpm {

/// How the reverse process p is made from a network's output.
struct ReverseModel {
  Prediction prediction = Prediction::eps;
  Variance variance = Variance::fixed_large;
  std::span<const double> optimal = {};  // Variance::optimal: T variances
  /// x0 is held in [-clip, clip]; the mean too, but for `mu`, whose output is the mean (OpenAI).
  double clip = std::numeric_limits<double>::infinity();
  Decoder decoder = Decoder::exact;
};

/// One element's part of L_{t-1} in nats: KL(q(x_{t-1} | x_t, x_0) || p(x_{t-1} | x_t)), or for t =
/// 1 -log p(x_0 | x_1); its derivatives by the output and by the variance channel; what was read.
struct ElementTerm {
  double nats, d_out, d_v;
  double mean, log_variance;  // of p
  double x0, eps;             // x0 as read and clipped; eps that goes with it, Eq. (4)
};

/// p(x_{t-1} | x_t) at one t in 1..T, its coefficients worked out once.
class ReverseStep {
 public:
  /// Throws Error where x0 cannot be read (alpha_bar(t) == 0 with eps or score) or optimal has not
  /// T numbers.
  ReverseStep(const Schedule& schedule, int t, const ReverseModel& model);

  /// x0 in [-1, 1] (a level when t is 1), eps the noise in x_t, out and v the network's channels; v
  /// is not read unless the variance is learned.
  ElementTerm operator()(double x0, double eps, double out, double v) const;

 private:
  int t_;
  ReverseModel model_;
  double signal_, noise_;  // x_t = signal x0 + noise eps
  Posterior q_;
  Linear read_x0_;
  LogVariance log_variance_;
  double log_q_;  // log-variance of q
};

/// A term of one image: the mean over its elements.
struct BoundTerm {
  double bits_per_dim = 0;  // L_{t-1}
  double x0_mse = 0, eps_mse = 0;
};

/// L_{t-1} of one image, t in 1..T. x0, eps: n elements; out: n, or 2 n ([mean part, variance
/// part]) when the variance is learned. Sums run in double in index order. Real: float or double.
template <class Real>
BoundTerm bound_term(const Schedule& schedule, int t, const ReverseModel& model,
                     std::span<const Real> x0, std::span<const Real> eps,
                     std::span<const Real> out);

/// L_T = KL(q(x_T | x_0) || N(0, 1)) of one image, bits per dimension.
template <class Real>
double prior_bits(const Schedule& schedule, std::span<const Real> x0);

/// The bound of one image: the rate is what sending x_1 costs, the distortion what x_0 costs after
/// it (Sec. 4.3).
struct Bound {
  double prior = 0;              // L_T
  std::vector<BoundTerm> terms;  // L_0, L_1, .., L_{T-1} at t = 1..T

  double distortion() const;  // L_0
  double rate() const;        // L_1 + ... + L_T
  double total() const { return rate() + distortion(); }
};

}  // namespace ddpm
