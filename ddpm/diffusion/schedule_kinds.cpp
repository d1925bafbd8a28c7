// The named schedules.
#include <algorithm>
#include <cmath>
#include <string_view>
#include <utility>

#include "ddpm/base/error.h"
#include "ddpm/base/exact.h"
#include "ddpm/diffusion/schedule.h"

namespace ddpm {
namespace {

constexpr int kMaxT = 1'000'000;  // bounds what `linear:N` may allocate
constexpr double kHalfPi = 1.57079632679489661923;

void check_T(std::string_view name, int T) {
  if (T < 1 || T > kMaxT) {
    throw Error("[schedule] {}: got T = {}, expected 1..{}; try {}:1000", name, T, kMaxT, name);
  }
}

// ",key=value" unless the value is the default.
std::string option(std::string_view key, double value, double usual) {
  return value == usual ? "" : fmt::format(",{}={}", key, value);
}

std::string spec_of(std::string_view name, int T, double beta_1, double beta_T) {
  return fmt::format("{}:{}{}{}", name, T, option("beta_1", beta_1, 1e-4),
                     option("beta_T", beta_T, 0.02));
}

// `count` numbers from `first` to `last`, evenly spaced.
std::vector<double> line(int count, double first, double last) {
  std::vector<double> numbers(count, first);
  for (int i = 1; i < count; ++i) {
    const double way = i / (count - 1.0);
    numbers[i] = first * (1 - way) + last * way;
  }
  return numbers;
}

void check_ends(std::string_view name, int T, double beta_1, double beta_T) {
  check_T(name, T);
  if (0 < beta_1 && beta_1 <= beta_T && beta_T < 1) return;
  throw Error(
      "[schedule] {}: got beta_1 = {}, beta_T = {}, expected 0 < beta_1 <= beta_T < 1; try {}:{}",
      name, beta_1, beta_T, name, T);
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

}  // namespace

Schedule Schedule::linear(int T, double beta_1, double beta_T) {
  check_ends("linear", T, beta_1, beta_T);
  return Schedule(line(T, beta_1, beta_T), spec_of("linear", T, beta_1, beta_T), "linear");
}

Schedule Schedule::quadratic(int T, double beta_1, double beta_T) {
  check_ends("quadratic", T, beta_1, beta_T);
  std::vector<double> betas = line(T, std::sqrt(beta_1), std::sqrt(beta_T));
  for (double& beta : betas) beta *= beta;
  return Schedule(std::move(betas), spec_of("quadratic", T, beta_1, beta_T), "quadratic");
}

Schedule Schedule::jsd(int T) {
  check_T("jsd", T);
  std::vector<double> betas;
  for (int t = 1; t <= T; ++t) betas.push_back(1.0 / (T - t + 1));
  return Schedule(std::move(betas), fmt::format("jsd:{}", T), "jsd");
}

Schedule Schedule::warmup(int T, double fraction, double beta_1, double beta_T) {
  if (fraction != 0.1 && fraction != 0.5) {
    throw Error("[schedule] warmup: got fraction {}, expected 0.1 or 0.5; try warmup10:1000",
                fraction);
  }
  const std::string name = fraction == 0.1 ? "warmup10" : "warmup50";
  check_ends(name, T, beta_1, beta_T);
  std::vector<double> betas = line(static_cast<int>(T * fraction), beta_1, beta_T);
  betas.resize(T, beta_T);
  return Schedule(std::move(betas), spec_of(name, T, beta_1, beta_T), name);
}

Schedule Schedule::sigmoid(int T, double beta_1, double beta_T) {
  check_ends("sigmoid", T, beta_1, beta_T);
  std::vector<double> betas = line(T, -6, 6);
  for (double& beta : betas) beta = exact::sigmoid(beta) * (beta_T - beta_1) + beta_1;
  return Schedule(std::move(betas), spec_of("sigmoid", T, beta_1, beta_T), "sigmoid");
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

Schedule Schedule::table(const std::vector<double>& betas) {
  Schedule schedule = from_betas(betas, "table");
  schedule.spec_ = fmt::format("table,betas={}", fmt::join(betas, "/"));
  return schedule;
}

// The gaps d_t = sqrt(alpha_bar_t) - sqrt(alpha_bar_T) are summed from T down, each step of the sum
// being sqrt(alpha_bar_{t-1}) (1 - sqrt(alpha_t)) with 1 - sqrt(alpha) = beta / (1 + sqrt(alpha)):
// no term cancels. The new alpha_bar_t is proportional to d_t^2.
Schedule Schedule::with_zero_terminal_snr() const {
  if (T() == 1) {
    throw Error(
        "[schedule] zero_snr: got one step, expected at least 2, of which the first keeps its "
        "beta");
  }
  if (alpha_bar_[T()] == 0) return *this;
  std::vector<double> betas(T());
  betas[0] = beta_[1];
  double gap = 0;
  for (int t = T(); t >= 2; --t) {
    const double step = std::sqrt(alpha_bar_[t - 1]) * beta_[t] / (1 + std::sqrt(alpha(t)));
    const double before = gap + step;
    betas[t - 1] = step * (before + gap) / (before * before);
    gap = before;
  }
  betas.back() = 1;
  return Schedule(std::move(betas), spec_.empty() ? "" : spec_ + ",zero_snr=yes", "zero_snr");
}

}  // namespace ddpm
