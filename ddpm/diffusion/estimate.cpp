#include "ddpm/diffusion/estimate.h"

#include <algorithm>
#include <cmath>

#include "ddpm/base/error.h"
#include "ddpm/base/exact.h"

namespace ddpm {
namespace {

void add_share(std::vector<double>& density, double part, const std::vector<double>& values) {
  double sum = 0;
  for (const double value : values) sum += value;
  for (std::size_t i = 0; i < values.size(); ++i) density[i] += part * values[i] / sum;
}

}  // namespace

EstimateTimes::EstimateTimes(const Schedule& schedule, int K) : K_(K) {
  const int T = schedule.T();
  if (T < 2 || K < 1) {
    throw Error(
        "[diffusion] estimate: got {} terms of a process of {} steps, expected at least 1 and 2; a "
        "single step needs no estimate",
        K, T);
  }
  std::vector<double> information, root;
  for (int t = 2; t <= T; ++t) {
    const double before = schedule.snr(t - 1), after = schedule.snr(t);
    information.push_back(exact::log1p(before) - exact::log1p(after));
    root.push_back(std::sqrt(before - after));
  }
  density_.resize(information.size());
  add_share(density_, 0.5, information);
  add_share(density_, 0.4, root);
  add_share(density_, 0.1, std::vector<double>(information.size(), 1));
}

std::vector<EstimateTerm> EstimateTimes::draw(double u) const {
  DDPM_CHECK(0 <= u && u < 1, "u = {}", u);
  std::vector<EstimateTerm> terms;
  double below = 0;  // of the distribution
  int k = 0;
  for (std::size_t i = 0; i < density_.size() && k < K_; ++i) {
    below += density_[i];
    const bool last = i + 1 == density_.size();  // where rounding may leave `below` short of 1
    int hits = 0;
    for (; k < K_ && (last || (k + u) / K_ < below); ++k) ++hits;
    if (hits > 0) terms.push_back({static_cast<int>(i) + 2, hits / (K_ * density_[i])});
  }
  return terms;
}

}  // namespace ddpm
