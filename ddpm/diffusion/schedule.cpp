#include "ddpm/diffusion/schedule.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <string_view>
#include <utility>

#include "ddpm/base/error.h"
#include "ddpm/base/exact.h"
#include "ddpm/diffusion/spec.h"

namespace ddpm {
namespace {

constexpr int kMaxT = 1'000'000;  // bounds what `linear:N` may allocate
constexpr double kSmallestAlphaBar =
    1e-200;  // so that reciprocals and products stay normal numbers
constexpr double kHalfPi = 1.57079632679489661923;

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

void check_T(std::string_view name, int T) {
  if (T < 1 || T > kMaxT) {
    throw Error("[schedule] {}: got T = {}, expected 1..{}; try {}:1000", name, T, kMaxT, name);
  }
}

void check_beta(const std::string& name, int t, double beta) {
  if (!(beta > 0 && beta < 1)) {
    throw Error("[schedule] {}: got beta_{} = {}, expected 0 < beta < 1", name, t, beta);
  }
}

// ",key=value" unless the value is the default.
std::string option(std::string_view key, double value, double usual) {
  return value == usual ? "" : fmt::format(",{}={}", key, value);
}

// 1 - alpha_bar_t / alpha_bar_{t-1} of Eq. (17), alpha_bar_t = cos^2(u_t), u_t = (t/T + s) / (1 +
// s) pi/2, by cos^2 a - cos^2 b = sin(b - a) sin(b + a), so that nothing cancels. Of the two
// supplementary angles sin(b + a) takes the smaller, and cos(u_{t-1}) is the sine of the
// complement, because small angles are the precise ones.
double cosine_beta(int t, int T, double s) {
  const double step = kHalfPi / (T * (1 + s));  // u_t - u_{t-1}
  const double sum = std::min(2.0 * t - 1 + 2 * s * T, 2.0 * T - 2 * t + 1);
  const double cos_previous = exact::sin((T - t + 1) * step);
  return exact::sin(step) * exact::sin(sum * step) / (cos_previous * cos_previous);
}

Schedule parse_linear(const Spec& spec) {
  constexpr std::string_view kKeys[] = {"beta_1", "beta_T"};
  spec.check_keys(kKeys);
  return Schedule::linear(spec.count().value_or(1000), spec.number("beta_1").value_or(1e-4),
                          spec.number("beta_T").value_or(0.02));
}

Schedule parse_cosine(const Spec& spec) {
  constexpr std::string_view kKeys[] = {"s", "max_beta"};
  spec.check_keys(kKeys);
  return Schedule::cosine(spec.count().value_or(1000), spec.number("s").value_or(0.008),
                          spec.number("max_beta").value_or(0.999));
}

Schedule parse_constant(const Spec& spec) {
  constexpr std::string_view kKeys[] = {"beta"};
  spec.check_keys(kKeys);
  const auto beta = spec.number("beta");
  if (!spec.count() || !beta) {
    throw Error(
        "[schedule] constant: got '{}', expected steps and beta; try constant:100,beta=0.01",
        spec.text());
  }
  return Schedule::constant(*spec.count(), *beta);
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
    check_beta(name, t, beta_[t]);
    product = shrunk(product, beta_[t]);
    if (!(product.hi < alpha_bar_.back() && product.hi >= kSmallestAlphaBar)) {
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

Schedule Schedule::linear(int T, double beta_1, double beta_T) {
  check_T("linear", T);
  if (!(0 < beta_1 && beta_1 <= beta_T && beta_T < 1)) {
    throw Error(
        "[schedule] linear: got beta_1 = {}, beta_T = {}, expected 0 < beta_1 <= beta_T < 1; try "
        "linear:{}",
        beta_1, beta_T, T);
  }
  std::vector<double> betas(T, beta_1);
  for (int i = 1; i < T; ++i) {
    const double way = i / (T - 1.0);
    betas[i] = beta_1 * (1 - way) + beta_T * way;
  }
  return Schedule(std::move(betas),
                  fmt::format("linear:{}{}{}", T, option("beta_1", beta_1, 1e-4),
                              option("beta_T", beta_T, 0.02)),
                  "linear");
}

Schedule Schedule::cosine(int T, double s, double max_beta) {
  check_T("cosine", T);
  if (!(s >= 0 && std::isfinite(s) && max_beta > 0 && max_beta < 1)) {
    throw Error(
        "[schedule] cosine: got s = {}, max_beta = {}, expected s >= 0 and 0 < max_beta < 1; try "
        "cosine:{}",
        s, max_beta, T);
  }
  std::vector<double> betas(T);
  for (int t = 1; t <= T; ++t) betas[t - 1] = std::min(cosine_beta(t, T, s), max_beta);
  return Schedule(
      std::move(betas),
      fmt::format("cosine:{}{}{}", T, option("s", s, 0.008), option("max_beta", max_beta, 0.999)),
      "cosine");
}

Schedule Schedule::constant(int T, double beta) {
  check_T("constant", T);
  return Schedule(std::vector<double>(T, beta), fmt::format("constant:{},beta={}", T, beta),
                  "constant");
}

Schedule Schedule::from_betas(std::vector<double> betas, const std::string& name) {
  if (betas.empty()) {
    throw Error("[schedule] {}: got no betas, expected at least one; try linear:1000", name);
  }
  return Schedule(std::move(betas), "", name);
}

Schedule Schedule::parse(const std::string& text) {
  constexpr std::string_view kNames[] = {"linear", "cosine", "constant"};
  const Spec spec("schedule", text);
  constexpr std::array kParsers = {parse_linear, parse_cosine, parse_constant};
  return kParsers[spec.choose_name(kNames)](spec);
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
