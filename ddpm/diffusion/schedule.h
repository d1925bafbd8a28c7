// Noise schedule of the forward process q (Ho et al. 2020, arXiv:2006.11239). Plain doubles, no
// libm.
#pragma once

#include <span>
#include <string>
#include <vector>

namespace ddpm {

/// q(x_{t-1} | x_t, x_0) is normal with mean c_x0 * x_0 + c_xt * x_t.  Eqs. (6)-(7).
struct Posterior {
  double c_x0, c_xt, variance;
};

/// beta_t and its cumulative product. Time runs t = 1..T as in the paper; alpha_bar(0) == 1 is
/// clean data. All values are dimensionless. t out of range is a bug in the caller (BugError).
class Schedule {
 public:
  /// beta_t linear in t (Sec. 4). Throws Error unless T >= 1 and 0 < beta_1 <= beta_T < 1.
  static Schedule linear(int T = 1000, double beta_1 = 1e-4, double beta_T = 0.02);

  /// Nichol & Dhariwal 2021, Eq. (17): alpha_bar = cos^2(((t/T + s) / (1 + s)) pi/2), beta capped
  /// at max_beta.
  static Schedule cosine(int T = 1000, double s = 0.008, double max_beta = 0.999);

  /// beta_t = beta for every t. Throws Error unless T >= 1 and 0 < beta < 1.
  static Schedule constant(int T, double beta);

  /// beta_1..beta_T given. Throws Error unless every beta is in (0, 1).
  static Schedule from_betas(std::vector<double> betas, const std::string& name = "betas");

  /// `linear:1000`, `linear:1000,beta_1=1e-4,beta_T=0.02`, `cosine:4000`, `constant:100,beta=0.01`.
  /// Throws Error that lists the known forms.
  static Schedule parse(const std::string& spec);

  int T() const { return static_cast<int>(beta_.size()) - 1; }
  double beta(int t) const;                 // Eq. (2), t in 1..T
  double alpha(int t) const;                // 1 - beta_t
  double alpha_bar(int t) const;            // Eq. (4), t in 0..T, strictly decreasing
  double one_minus_alpha_bar(int t) const;  // t in 0..T, without cancellation
  double snr(int t) const;                  // alpha_bar / (1 - alpha_bar), t in 1..T
  Posterior posterior(int t) const;         // Eqs. (6)-(7), t in 1..T

  /// 1 - alpha_bar_t / alpha_bar_s, 0 <= s < t <= T: the beta of a jump from s to t, q(x_t | x_s).
  /// Without cancellation.
  double jump_beta(int s, int t) const;

  /// A spec that parse() reads back to the same schedule ("" for from_betas).
  const std::string& spec() const { return spec_; }

 private:
  Schedule(std::vector<double> betas, std::string spec, const std::string& name);

  std::string spec_;
  std::vector<double> beta_;                 // [T + 1], [0] unused
  std::vector<double> alpha_bar_;            // [T + 1]
  std::vector<double> alpha_bar_low_;        // [T + 1] what alpha_bar_ lacks of the exact product
  std::vector<double> one_minus_alpha_bar_;  // [T + 1]
};

/// The time that networks are fed: 0-based, so t - 1. The only place where the paper's t becomes
/// theirs.
inline double network_time(int t) { return t - 1; }

}  // namespace ddpm
