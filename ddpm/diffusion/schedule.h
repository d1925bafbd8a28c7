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
/// beta_T may be 1 (zero terminal SNR): then alpha_bar(T) == 0 and x_T is noise alone; no other
/// alpha_bar is 0.
class Schedule {
 public:
  /// beta_t linear in t (Sec. 4). Throws Error unless T >= 1 and 0 < beta_1 <= beta_T < 1.
  static Schedule linear(int T = 1000, double beta_1 = 1e-4, double beta_T = 0.02);

  /// Nichol & Dhariwal 2021, Eq. (17): alpha_bar = cos^2(((t/T + s) / (1 + s)) pi/2), beta capped
  /// at max_beta.
  static Schedule cosine(int T = 1000, double s = 0.008, double max_beta = 0.999);

  /// beta_t = beta for every t. Throws Error unless T >= 1 and 0 < beta < 1.
  static Schedule constant(int T, double beta);

  /// sqrt(beta_t) linear in t: "quad" of the paper's code, "scaled_linear" of diffusers. Throws as
  /// linear.
  static Schedule quadratic(int T = 1000, double beta_1 = 1e-4, double beta_T = 0.02);

  /// beta_t = 1 / (T - t + 1): 1/T..1, of Sohl-Dickstein et al. 2015 ("jsd"). alpha_bar is linear,
  /// 1 - t/T, and 0 at T.
  static Schedule jsd(int T = 1000);

  /// Linear over the first floor(fraction T) steps, then beta_T ("warmup10", "warmup50" of the
  /// paper's code: fraction 0.1, 0.5). Throws as linear.
  static Schedule warmup(int T, double fraction, double beta_1 = 1e-4, double beta_T = 0.02);

  /// beta_t = beta_1 + (beta_T - beta_1) / (1 + e^-x), x from -6 to 6 ("sigmoid" of diffusers; the
  /// ends are near beta_1 and beta_T). Throws as linear.
  static Schedule sigmoid(int T = 1000, double beta_1 = 1e-4, double beta_T = 0.02);

  /// beta_1..beta_T given. Throws Error unless every beta is in (0, 1), beta_T in (0, 1].
  static Schedule from_betas(std::vector<double> betas, const std::string& name = "betas");
  /// The same with a spec, `table,betas=0.1/0.2`.
  static Schedule table(const std::vector<double>& betas);

  /// The same schedule with sqrt(alpha_bar) shifted and scaled, so that alpha_bar(1) stays and
  /// alpha_bar(T) is 0 (Lin et al. 2023, Algorithm 1). Throws Error when T is 1.
  Schedule with_zero_terminal_snr() const;

  /// `linear:1000`, `linear:1000,beta_1=1e-4,beta_T=0.02`, `quadratic` and its other name
  /// `scaled_linear`, `sigmoid`, `warmup10`, `warmup50` likewise; `cosine:4000`,
  /// `constant:100,beta=0.01`, `jsd:1000`, `logsnr:1000,max=13.3,min=-5` or `,knots=13/2/-5`
  /// (log_snr.h), `table,betas=0.1/0.2`; each also with `,zero_snr=yes`. Throws Error that lists
  /// the known forms.
  static Schedule parse(const std::string& spec);
  /// Whether `text` begins with the name of such a form, whatever follows.
  static bool is_named(const std::string& text);

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
  friend class LogSnr;  // which makes schedules of its own kind
  Schedule(std::vector<double> betas, std::string spec, const std::string& name);

  std::string spec_;
  std::vector<double> beta_;                 // [T + 1], [0] unused
  std::vector<double> alpha_bar_;            // [T + 1]
  std::vector<double> alpha_bar_low_;        // [T + 1] what alpha_bar_ lacks of the exact product
  std::vector<double> one_minus_alpha_bar_;  // [T + 1]
};

/// The time that networks are fed: 0-based, so t - 1. The only place where the paper's t becomes
/// theirs.
inline double network_time(double t) { return t - 1; }

}  // namespace ddpm
