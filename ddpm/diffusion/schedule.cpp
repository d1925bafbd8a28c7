#include "ddpm/diffusion/schedule.h"

#include <cmath>
#include <utility>

#include "ddpm/base/error.h"

namespace ddpm {
namespace {

constexpr double kSmallestAlphaBar =
    1e-200;  // so that reciprocals and products stay normal numbers

// The number hi + lo, |lo| far below |hi|: about 106 bits.
struct Pair {
  double hi, lo;
};

// a + b exactly, for |a| >= |b| (Dekker 1971).
Pair exact_sum(double a, double b) {
  const double sum = a + b;
  return {sum, b - (sum - a)};
}

// (1 - beta) p.
Pair shrunk(Pair p, double beta) {
  const double cut = beta * p.hi;
  const double cut_lo = std::fma(beta, p.hi, -cut) + beta * p.lo;
  const Pair rest = exact_sum(p.hi, -cut);
  return exact_sum(rest.hi, rest.lo + (p.lo - cut_lo));
}

void check_beta(const std::string& name, int t, double beta, bool last) {
  if (!(beta > 0 && (beta < 1 || (last && beta == 1)))) {
    throw Error("[schedule] {}: got beta_{} = {}, expected 0 < beta < 1{}", name, t, beta,
                last ? ", or 1 at the end" : "");
  }
}

}  // namespace

Schedule::Schedule(std::vector<double> betas, std::string spec, const std::string& name)
    : spec_(std::move(spec)),
      beta_(std::move(betas)),
      alpha_bar_{1},
      alpha_bar_low_{0},
      one_minus_alpha_bar_{0} {
  beta_.insert(beta_.begin(), 0);
  Pair product{1, 0};  // rounded once per t, not t times
  for (int t = 1; t <= T(); ++t) {
    check_beta(name, t, beta_[t], t == T());
    product = shrunk(product, beta_[t]);
    const bool gone = beta_[t] == 1;  // zero terminal SNR
    if (gone) product = {0, 0};
    if (!gone && !(product.hi < alpha_bar_.back() && product.hi >= kSmallestAlphaBar)) {
      throw Error(
          "[schedule] {}: got alpha_bar_{} = {} after {}, expected it to decrease and to stay "
          "above "
          "{}; try other betas or fewer steps",
          name, t, product.hi, alpha_bar_.back(), kSmallestAlphaBar);
    }
    alpha_bar_.push_back(product.hi);
    alpha_bar_low_.push_back(product.lo);
    one_minus_alpha_bar_.push_back((1 - product.hi) - product.lo);
  }
}

double Schedule::beta(int t) const {
  DDPM_CHECK(1 <= t && t <= T(), "t = {}, T = {}", t, T());
  return beta_[t];
}

double Schedule::alpha(int t) const { return 1 - beta(t); }

double Schedule::alpha_bar(int t) const {
  DDPM_CHECK(0 <= t && t <= T(), "t = {}, T = {}", t, T());
  return alpha_bar_[t];
}

double Schedule::one_minus_alpha_bar(int t) const {
  DDPM_CHECK(0 <= t && t <= T(), "t = {}, T = {}", t, T());
  return one_minus_alpha_bar_[t];
}

double Schedule::snr(int t) const {
  DDPM_CHECK(1 <= t && t <= T(), "t = {}, T = {}", t, T());
  return alpha_bar_[t] / one_minus_alpha_bar_[t];
}

Posterior Schedule::posterior(int t) const {
  const double before = one_minus_alpha_bar(t - 1), after = one_minus_alpha_bar(t);
  return {.c_x0 = std::sqrt(alpha_bar(t - 1)) * beta(t) / after,
          .c_xt = std::sqrt(alpha(t)) * before / after,
          .variance = beta(t) * before / after};
}

double Schedule::jump_beta(int s, int t) const {
  DDPM_CHECK(0 <= s && s < t && t <= T(), "s = {}, t = {}, T = {}", s, t, T());
  const double lost = (alpha_bar_[s] - alpha_bar_[t]) + (alpha_bar_low_[s] - alpha_bar_low_[t]);
  return lost / alpha_bar_[s];
}

}  // namespace ddpm
