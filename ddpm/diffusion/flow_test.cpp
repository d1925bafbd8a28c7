#include "ddpm/diffusion/flow.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "ddpm/base/error.h"

namespace ddpm {
namespace {

using Doubles = std::vector<double>;
constexpr double kLog2Pi = 1.83787706640934548356;

// The network of linear eps_hat = M(t) x.
template <class Multiply>
EpsAndVjp linear_model(Multiply multiply) {
  return [multiply](double t, std::span<const double> x, std::span<const double> v,
                    std::span<double> eps, std::span<double> vjp) {
    multiply(t, x, eps);
    multiply(t, v, vjp);  // M is symmetric
  };
}

// Data N(0, s^2): the best eps_hat, and the flow x(end) = x(start) sqrt(marginal(end) /
// marginal(start)).
struct Gaussian {
  TimeLine line;
  double s2;

  double marginal(double t) const { return line.alpha_bar(t) * s2 + line.one_minus_alpha_bar(t); }
  EpsAndVjp model() const {
    return linear_model([this](double t, std::span<const double> x, std::span<double> out) {
      const double by_x = std::sqrt(line.one_minus_alpha_bar(t)) / marginal(t);
      for (std::size_t i = 0; i < x.size(); ++i) out[i] = by_x * x[i];
    });
  }
  double log_density(std::span<const double> x, double start) const {
    const double grown = marginal(line.end()) / marginal(start);
    double sum = 0;
    for (const double value : x) {
      sum += -0.5 * (value * value * grown + kLog2Pi) + 0.5 * std::log(grown);
    }
    return sum;
  }
};

Doubles some_image(int n) {
  Doubles x;
  for (int i = 0; i < n; ++i) x.push_back(0.6 * std::sin(1.7 * i + 0.4));
  return x;
}

// What rk45 allows: each step's error is, as a root mean square over the n + 1 numbers of the
// state, below tolerance (1 + size); the flow adds them up and grows them as it grows x, from a
// standard deviation of sqrt(variance) to 1.
double allowed(const FlowLikelihood& flow, std::size_t n, double tolerance, double variance) {
  const double root = std::sqrt((static_cast<double>(n) + 1) / variance);
  return flow.stats.accepted * root * tolerance * (1 + std::abs(flow.change));
}

TEST(Flow, LikelihoodOfGaussianDataIsTheClosedForm) {
  for (const char* spec : {"linear:1000", "cosine:1000", "linear:100,beta_1=1e-3,beta_T=0.2",
                           "linear:200,zero_snr=yes", "logsnr:500"}) {
    const Gaussian g{TimeLine(Schedule::parse(spec)), 0.25};
    const Doubles x = some_image(12);
    for (const double start : {0.01, 1.0}) {
      const FlowLikelihood exact = flow_likelihood(g.line, g.model(), x, exact_probes(12), start,
                                                   {.rtol = 1e-8, .atol = 1e-8});
      EXPECT_NEAR(exact.log_density, g.log_density(x, start), allowed(exact, 12, 1e-8, 0.25))
          << spec << " " << start;
      EXPECT_DOUBLE_EQ(exact.log_density, exact.prior + exact.change);
      // The Jacobian is a multiple of the identity, of which one random vector tells the trace.
      const Probes random = random_probes({.seed = 3, .purpose = Purpose::eval_noise}, 12);
      const FlowLikelihood hutchinson =
          flow_likelihood(g.line, g.model(), x, random, start, {.rtol = 1e-8, .atol = 1e-8});
      EXPECT_NEAR(hutchinson.log_density, exact.log_density, 1e-9) << spec;
    }
  }
}

TEST(Flow, DefaultToleranceIsGoodForAThousandthOfABit) {
  const Gaussian g{TimeLine(Schedule::linear()), 0.25};
  const Doubles x = some_image(48);
  const FlowLikelihood flow = flow_likelihood(g.line, g.model(), x, exact_probes(48), 0.01);
  EXPECT_NEAR(flow_bits_per_dim(flow.log_density, 48),
              flow_bits_per_dim(g.log_density(x, 0.01), 48), 1e-3);
  EXPECT_LT(flow.stats.evaluations, 200);
}

// Correlated data: eps_hat = sqrt(1 - a) (a C + (1 - a) I)^-1 x for C with unit diagonal times s^2
// and correlation r of two coordinates. The eigenvectors do not move: in their coordinates it is
// two independent Gaussians.
TEST(Flow, HutchinsonIsUnbiasedAndTheExactTraceIsExact) {
  const TimeLine line(Schedule::linear(100, 1e-3, 0.2));
  const double s2 = 0.3, r = 0.8;
  const auto by_x = [&](double t, double eigenvalue) {
    return std::sqrt(line.one_minus_alpha_bar(t)) /
           (line.alpha_bar(t) * eigenvalue + line.one_minus_alpha_bar(t));
  };
  const EpsAndVjp model =
      linear_model([&](double t, std::span<const double> x, std::span<double> out) {
        const double up = by_x(t, s2 * (1 + r)), down = by_x(t, s2 * (1 - r));
        out[0] = 0.5 * (up * (x[0] + x[1]) + down * (x[0] - x[1]));
        out[1] = 0.5 * (up * (x[0] + x[1]) - down * (x[0] - x[1]));
      });
  const Doubles x = {0.4, -0.3};
  const Rk45Options precise{.rtol = 1e-9, .atol = 1e-9};
  const FlowLikelihood got = flow_likelihood(line, model, x, exact_probes(2), 0.5, precise);
  const double tolerance = allowed(got, 2, 1e-9, s2 * (1 - r));
  double want = 0;
  for (const double sign : {1.0, -1.0}) {
    const Gaussian g{line, s2 * (1 + sign * r)};
    const Doubles along = {(x[0] + sign * x[1]) / std::sqrt(2.0)};
    want += g.log_density(along, 0.5);
  }
  EXPECT_NEAR(got.log_density, want, tolerance);
  // The four vectors of signs give two values whose mean is the trace's.
  double mean = 0, spread = 0;
  for (const double second : {1.0, -1.0}) {
    const Probes probe{.directions = {{1, second}}};
    const double one = flow_likelihood(line, model, x, probe, 0.5, precise).log_density;
    mean += one / 2;
    spread = std::max(spread, std::abs(one - want));
  }
  EXPECT_NEAR(mean, want, tolerance);
  EXPECT_GT(spread, 1e3 * tolerance) << "one vector alone is far off";
  const Probes both{.directions = {{1, 1}, {1, -1}}, .weight = 0.5};
  EXPECT_NEAR(flow_likelihood(line, model, x, both, 0.5, precise).log_density, want, tolerance);
}

TEST(Flow, RandomProbesAreSignsOfTheirKey) {
  const NoiseKey key{.seed = 5, .purpose = Purpose::eval_noise, .image = 2};
  const Probes a = random_probes(key, 1000, 3), b = random_probes(key, 1000, 3);
  EXPECT_EQ(a.directions, b.directions);
  EXPECT_NE(a.directions[0], a.directions[1]);
  EXPECT_DOUBLE_EQ(a.weight, 1.0 / 3);
  double sum = 0, neighbours = 0;
  for (const Doubles& v : a.directions) {
    for (std::size_t i = 0; i < v.size(); ++i) {
      EXPECT_EQ(std::abs(v[i]), 1);
      sum += v[i];
      if (i > 0) neighbours += v[i] * v[i - 1];
    }
  }
  EXPECT_LT(std::abs(sum), 5 * std::sqrt(3000.0));  // five standard deviations
  EXPECT_LT(std::abs(neighbours), 5 * std::sqrt(3000.0));
}

// score_sde's continuous VP process and score network on N(0, 0.25), as one system of two images,
// by scipy's RK45 in float64 (rtol = atol = 1e-5, t from 1e-5 to 1): bits per dimension and
// evaluations. The images' pixels come from the hash below. Rounding may differ in the last of 12
// digits.
std::uint32_t hash(std::uint32_t seed, std::uint32_t i) {
  std::uint32_t x = seed + i * 0x9E3779B9U;
  x = (x ^ x >> 16) * 0x7FEB352DU;
  x = (x ^ x >> 15) * 0x846CA68BU;
  return x ^ x >> 16;
}

int pixel(std::uint32_t image, std::uint32_t channel, std::uint32_t y, std::uint32_t x) {
  constexpr std::uint32_t kSeed = 1;
  std::uint32_t b[5];
  for (std::uint32_t j = 0; j < 5; ++j) b[j] = hash(kSeed, 32 * image + 8 * channel + j);
  const int wave = (b[0] % 24 * x + b[1] % 24 * y + (b[2] & 511)) & 511;
  const int triangle = wave < 256 ? wave : 511 - wave, base = b[3] & 255, weight = b[4] & 255;
  const std::uint32_t at = ((3 * image + channel) * 32 + y) * 32 + x;
  const int noise = static_cast<int>(hash(kSeed ^ 0x5BD1E995U, at) >> 27);
  return std::clamp(((triangle * weight + base * (256 - weight)) >> 8) + noise - 16, 0, 255);
}

TEST(Flow, AgreesWithScoreSdeOnGaussianData) {
  Doubles y;
  for (std::uint32_t i = 0; i < 96; ++i) {
    const auto u = static_cast<float>((hash(9000, i) >> 8) * 0x1p-24);
    const auto level = static_cast<float>(pixel(i / 48, i / 16 % 3, i / 4 % 4, i % 4));
    y.push_back((level + u) / 256 * 2 - 1);
  }
  y.resize(98);  // and the gathered change of each image
  const Drift drift = [](double t, std::span<const double> state, std::span<double> d) {
    const double beta = 0.1 + 19.9 * t;
    const double m = std::exp(2 * (-0.25 * t * t * 19.9 - 0.05 * t));
    const double by_x = -0.5 * beta * (1 - 1 / (0.25 * m + 1 - m));
    for (int i = 0; i < 96; ++i) d[i] = by_x * state[i];
    d[96] = d[97] = 48 * by_x;
  };
  EXPECT_EQ(rk45(drift, 1e-5, 1, y).evaluations, 44);
  const double want[] = {7.73338527463, 7.62652889785};
  for (int image = 0; image < 2; ++image) {
    double prior = 0;
    for (int i = 0; i < 48; ++i) {
      prior -= 0.5 * (y[image * 48 + i] * y[image * 48 + i] + kLog2Pi);
    }
    EXPECT_NEAR(y[96 + image], 33.2696132717, 1e-9);
    EXPECT_NEAR(flow_bits_per_dim(prior + y[96 + image], 48), want[image], 1e-10);
  }
}

TEST(Flow, StartOutsideTheLineIsRefused) {
  const Gaussian g{TimeLine(Schedule::jsd(10)), 0.25};
  const Doubles x = {0.1};
  EXPECT_THROW(flow_likelihood(g.line, g.model(), x, exact_probes(1), 0), Error);
  EXPECT_THROW(flow_likelihood(g.line, g.model(), x, exact_probes(1), 9), Error);
  EXPECT_THROW(flow_likelihood(g.line, g.model(), x, exact_probes(2), 1), BugError);
}

}  // namespace
}  // namespace ddpm
