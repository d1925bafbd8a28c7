#include "ddpm/diffusion/flow.h"

#include <algorithm>
#include <cmath>

#include "ddpm/base/error.h"
#include "ddpm/base/exact.h"

namespace ddpm {
namespace {

constexpr double kLog2Pi = 1.83787706640934548356;

double log_standard_normal(std::span<const double> x) {
  double sum = 0;
  for (const double value : x) sum += value * value + kLog2Pi;
  return -sum / 2;
}

// State: x, then the divergence gathered so far.
class FlowDrift {
 public:
  FlowDrift(const TimeLine& line, const EpsAndVjp& model, const Probes& probes, std::size_t n)
      : line_(line), model_(model), probes_(probes), eps_(n), vjp_(n) {}

  void operator()(double t, std::span<const double> y, std::span<double> dy) {
    const std::size_t n = eps_.size();
    const std::span<const double> x = y.first(n);
    const double noise = std::sqrt(line_.one_minus_alpha_bar(t));
    double square = 0, trace = 0;  // of the identity and of d eps / d x
    for (const std::vector<double>& v : probes_.directions) {
      model_(t, x, v, eps_, vjp_);
      for (std::size_t i = 0; i < n; ++i) {
        square += v[i] * v[i];
        trace += v[i] * vjp_[i];
      }
    }
    flow_drift(line_, t, x, eps_, dy.first(n));
    dy[n] = -0.5 * line_.beta(t) * probes_.weight * (square - trace / noise);
  }

 private:
  const TimeLine& line_;
  const EpsAndVjp& model_;
  const Probes& probes_;
  std::vector<double> eps_, vjp_;
};

void check_probes(const Probes& probes, std::size_t n) {
  DDPM_CHECK(n > 0 && !probes.directions.empty(), "{}", n);
  for (const auto& v : probes.directions) DDPM_CHECK(v.size() == n, "{}, {}", v.size(), n);
}

}  // namespace

void flow_drift(const TimeLine& line, double t, std::span<const double> x,
                std::span<const double> eps, std::span<double> dx) {
  DDPM_CHECK(eps.size() == x.size() && dx.size() == x.size(), "{}, {}, {}", x.size(), eps.size(),
             dx.size());
  const double half = -0.5 * line.beta(t), noise = std::sqrt(line.one_minus_alpha_bar(t));
  for (std::size_t i = 0; i < x.size(); ++i) dx[i] = half * (x[i] - eps[i] / noise);
}

Probes random_probes(NoiseKey key, std::size_t dimensions, int count) {
  DDPM_CHECK(count >= 1, "{}", count);
  Probes probes{.weight = 1.0 / count};
  for (int k = 0; k < count; ++k) {
    key.lane = static_cast<std::uint32_t>(k);
    std::vector<double> v;
    for (std::size_t i = 0; i < dimensions; ++i) {
      const auto word = random_block(key, static_cast<std::uint32_t>(i / 128))[i / 32 % 4];
      v.push_back((word >> (i % 32) & 1) != 0 ? 1 : -1);
    }
    probes.directions.push_back(std::move(v));
  }
  return probes;
}

Probes exact_probes(std::size_t dimensions) {
  Probes probes;
  for (std::size_t i = 0; i < dimensions; ++i) {
    probes.directions.emplace_back(dimensions, 0.0)[i] = 1;
  }
  return probes;
}

FlowLikelihood flow_likelihood(const TimeLine& line, const EpsAndVjp& model,
                               std::span<const double> x, const Probes& probes, double start,
                               const Rk45Options& options) {
  check_probes(probes, x.size());
  if (!(start > 0 && start < line.end())) {
    throw Error("[diffusion] flow: got start = {}, expected a time in 0..{}; try 0.01", start,
                line.end());
  }
  std::vector<double> y(x.begin(), x.end());
  y.push_back(0);
  FlowDrift drift(line, model, probes, x.size());
  FlowLikelihood result;
  result.stats = rk45(std::ref(drift), start, line.end(), y, options);
  result.change = y.back();
  result.prior = log_standard_normal(std::span(y).first(x.size()));
  result.log_density = result.prior + result.change;
  return result;
}

double flow_bits_per_dim(double log_density, std::size_t dimensions) {
  return 7 - log_density / exact::kLn2 / static_cast<double>(dimensions);
}

}  // namespace ddpm
