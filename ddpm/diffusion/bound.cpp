#include "ddpm/diffusion/bound.h"

#include <algorithm>
#include <cmath>

#include "ddpm/base/error.h"
#include "ddpm/base/exact.h"

namespace ddpm {
namespace {}  // namespace

ReverseStep::ReverseStep(const Schedule& schedule, int t, const ReverseModel& model)
    : t_(t),
      model_(model),
      signal_(std::sqrt(schedule.alpha_bar(t))),
      noise_(std::sqrt(schedule.one_minus_alpha_bar(t))),
      q_(schedule.posterior(t)),
      read_x0_(x0_from(schedule, t, model.prediction)),
      log_variance_(log_variance_of(schedule, t, model.variance, model.optimal)),
      log_q_(log_posterior_variance(schedule, t)) {}

ElementTerm ReverseStep::operator()(double x0, double eps, double out, double v) const {
  const double x_t = signal_ * x0 + noise_ * eps;
  const double read = read_x0_.x * x_t + read_x0_.out * out;
  const bool is_mean = model_.prediction == Prediction::mu;
  const bool clipped = std::abs(read) > model_.clip;
  const double x0_hat = std::clamp(read, -model_.clip, model_.clip);
  ElementTerm term{};
  term.x0 = x0_hat;
  term.eps = (x_t - signal_ * x0_hat) / noise_;
  term.mean = is_mean ? out : q_.c_x0 * x0_hat + q_.c_xt * x_t;
  term.log_variance = log_variance_.slope == 0 ? log_variance_.offset
                                               : log_variance_.offset + log_variance_.slope * v;
  const double mean_by_out = is_mean ? 1 : clipped ? 0 : q_.c_x0 * read_x0_.out;
  if (t_ == 1) {
    const LogMass mass = log_level_mass(x0, term.mean, term.log_variance, model_.decoder);
    term.nats = -mass.value;
    term.d_out = -mass.d_mean * mean_by_out;
    term.d_v = -mass.d_log_variance * log_variance_.slope;
    return term;
  }
  const double gap = q_.c_x0 * (x0 - (is_mean ? read : x0_hat));  // of the means, q - p
  const double precision = exact::exp(-term.log_variance);
  const double narrower = log_q_ - term.log_variance;
  term.nats = 0.5 * ((exact::expm1(narrower) - narrower) + gap * gap * precision);
  term.d_out = -gap * precision * mean_by_out;
  term.d_v = -0.5 * (exact::expm1(narrower) + gap * gap * precision) * log_variance_.slope;
  return term;
}

template <class Real>
BoundTerm bound_term(const Schedule& schedule, int t, const ReverseModel& model,
                     std::span<const Real> x0, std::span<const Real> eps,
                     std::span<const Real> out) {
  const std::size_t n = x0.size();
  const bool learned = is_learned(model.variance);
  DDPM_CHECK(n > 0 && eps.size() == n && out.size() == (learned ? 2 * n : n), "{}, {}, {}", n,
             eps.size(), out.size());
  const ReverseStep step(schedule, t, model);
  double nats = 0, x0_error = 0, eps_error = 0;
  for (std::size_t i = 0; i < n; ++i) {
    const ElementTerm e = step(x0[i], eps[i], out[i], learned ? out[n + i] : 0);
    nats += e.nats;
    x0_error += (e.x0 - x0[i]) * (e.x0 - x0[i]);
    eps_error += (e.eps - eps[i]) * (e.eps - eps[i]);
  }
  const double count = static_cast<double>(n);
  return {nats / count / exact::kLn2, x0_error / count, eps_error / count};
}

template <class Real>
double prior_bits(const Schedule& schedule, std::span<const Real> x0) {
  DDPM_CHECK(!x0.empty());
  const double a = schedule.alpha_bar(schedule.T());
  double square = 0;
  for (const Real x : x0) square += static_cast<double>(x) * x;
  square /= static_cast<double>(x0.size());
  // -log(1 - a) - a + a x0^2: the first two cancel to a^2 / 2.
  return 0.5 * ((-exact::log1p(-a) - a) + a * square) / exact::kLn2;
}

template BoundTerm bound_term(const Schedule&, int, const ReverseModel&, std::span<const float>,
                              std::span<const float>, std::span<const float>);
template BoundTerm bound_term(const Schedule&, int, const ReverseModel&, std::span<const double>,
                              std::span<const double>, std::span<const double>);
template double prior_bits(const Schedule&, std::span<const float>);
template double prior_bits(const Schedule&, std::span<const double>);

double Bound::distortion() const {
  DDPM_CHECK(!terms.empty());
  return terms[0].bits_per_dim;
}

double Bound::rate() const {
  double sum = prior;
  for (std::size_t i = 1; i < terms.size(); ++i) sum += terms[i].bits_per_dim;
  return sum;
}

}  // namespace ddpm
