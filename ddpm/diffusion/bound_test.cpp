// The bound on Gaussian data, in closed form; its terms as denoising score matching; its
// autoregressive view.
#include "ddpm/diffusion/bound.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "ddpm/base/error.h"

namespace ddpm {
namespace {

using Doubles = std::vector<double>;
const double kLn2 = std::log(2.0);
constexpr double kPi = 3.14159265358979323846;

// KL(N(m1, v1) || N(m2, v2)) when E (m1 - m2)^2 = gap.
double kl(double v1, double v2, double gap) {
  return 0.5 * (std::log(v2 / v1) + (v1 + gap) / v2 - 1);
}

// Data N(0, s^2): everything is linear, every term quadratic in (x0, eps), so that its mean over
// the four corners (+-s, +-1) is its expectation.
struct Gaussian {
  Schedule schedule;
  double s;
  double scale = 1;  // of the network's eps: 1 is the best one

  double marginal(int t) const {  // variance of x_t
    return schedule.alpha_bar(t) * s * s + schedule.one_minus_alpha_bar(t);
  }
  double eps_by_x(int t) const {
    return scale * std::sqrt(schedule.one_minus_alpha_bar(t)) / marginal(t);
  }
  Doubles x0() const { return {-s, -s, s, s}; }
  Doubles eps() const { return {-1, 1, -1, 1}; }
  Doubles out(int t) const {
    Doubles values;
    for (int i = 0; i < 4; ++i) {
      const double x_t = std::sqrt(schedule.alpha_bar(t)) * x0()[i] +
                         std::sqrt(schedule.one_minus_alpha_bar(t)) * eps()[i];
      values.push_back(eps_by_x(t) * x_t);
    }
    return values;
  }
  double nats(int t, const ReverseModel& model) const {
    return bound_term<double>(schedule, t, model, x0(), eps(), out(t)).bits_per_dim * kLn2;
  }
};

// With the best network and the true reverse variances, p(x_{t-1} | x_t) = q(x_{t-1} | x_t), and
// what is left of the rate is the information that x_1 has of x_0 and the prior's gap. A thousand
// terms, each a few roundings off.
TEST(Bound, RateOfTheBestGaussianModelIsTheMutualInformation) {
  for (const char* spec : {"linear:1000", "cosine:100", "quadratic:50", "logsnr:30"}) {
    const Gaussian g{Schedule::parse(spec), 0.5};
    Doubles measured;
    for (int t = 1; t <= g.schedule.T(); ++t) {
      measured.push_back(g.schedule.one_minus_alpha_bar(t) / g.marginal(t));
    }
    const Doubles optimal = optimal_variances(g.schedule, measured);
    const ReverseModel model{.variance = Variance::optimal, .optimal = optimal};
    Bound bound{.prior = prior_bits<double>(g.schedule, g.x0())};
    for (int t = 1; t <= g.schedule.T(); ++t) {
      bound.terms.push_back(bound_term<double>(g.schedule, t, model, g.x0(), g.eps(), g.out(t)));
    }
    const double information = 0.5 * std::log1p(0.25 * g.schedule.snr(1));
    const double prior_gap = kl(g.marginal(g.schedule.T()), 1, 0);
    EXPECT_NEAR(bound.rate() * kLn2, information + prior_gap, 1e-9) << spec;
    // eps is told from x_t as well as it can be: the mean squared error is what x_0 hides.
    const double unknown = g.schedule.alpha_bar(7) * 0.25 / g.marginal(7);
    EXPECT_NEAR(bound.terms[6].eps_mse, unknown, 1e-13);
    EXPECT_NEAR(bound.terms[6].x0_mse, unknown / g.schedule.snr(7), 1e-12);
  }
}

// Eq. (16): the same bound with the data's entropy taken out, each term a KL between the true
// reverse step and the model's. Any model: here a bad network and the large variance. (L_0 is a
// density here: the decoder has no bins.)
TEST(Bound, Equation16IsEquation5) {
  const Gaussian g{Schedule::linear(60, 1e-3, 0.3), 0.8, 0.7};
  const Schedule& s = g.schedule;
  const int T = s.T();
  const ReverseModel model{.variance = Variance::fixed_large};
  const auto mean_by_x = [&](int t) {  // of p(x_{t-1} | x_t)
    return (1 - s.beta(t) / std::sqrt(s.one_minus_alpha_bar(t)) * g.eps_by_x(t)) /
           std::sqrt(s.alpha(t));
  };
  const double v1 = s.beta(1);  // of p(x_0 | x_1)
  const double error =          // E (x_0 - mean)^2
      g.s * g.s - 2 * mean_by_x(1) * std::sqrt(s.alpha_bar(1)) * g.s * g.s +
      mean_by_x(1) * mean_by_x(1) * g.marginal(1);
  double eq5 = prior_bits<double>(s, g.x0()) * kLn2 + 0.5 * (std::log(2 * kPi * v1) + error / v1);
  for (int t = 2; t <= T; ++t) eq5 += g.nats(t, model);

  double eq16 = kl(g.marginal(T), 1, 0) + 0.5 * std::log(2 * kPi * std::exp(1) * g.s * g.s);
  for (int t = 1; t <= T; ++t) {
    const double true_mean = std::sqrt(s.alpha(t)) * g.marginal(t - 1) / g.marginal(t);
    const double true_variance = g.marginal(t - 1) * s.beta(t) / g.marginal(t);
    const double off = true_mean - mean_by_x(t);
    eq16 += kl(true_variance, s.beta(t), off * off * g.marginal(t));
  }
  EXPECT_NEAR(eq5, eq16, 1e-11 * eq16);
}

// Sec. 3.2: L_{t-1} is denoising score matching at noise level sigma_t = sqrt((1 - alpha_bar) /
// alpha_bar). With x = x_t / sqrt(alpha_bar_t) = x_0 + sigma_t eps and the score read as -eps_hat /
// sigma_t, it is (sigma_{t-1}^-2 - sigma_t^-2) sigma_t^4 times |score - (x_0 - x) / sigma_t^2|^2
// / 2. The difference of two SNRs loses 1e-16 / beta.
TEST(Bound, TermsAreDenoisingScoreMatching) {
  const Schedule s = Schedule::linear();
  const Doubles x0 = {-0.7, 0.1, 0.9}, eps = {0.3, -1.4, 0.8}, out = {0.1, -1.2, 1.1};
  for (int t = 2; t <= s.T(); ++t) {
    const double sigma = 1 / std::sqrt(s.snr(t));
    double matching = 0;
    for (int i = 0; i < 3; ++i) {
      const double x = x0[i] + sigma * eps[i];
      const double off = -out[i] / sigma - (x0[i] - x) / (sigma * sigma);
      matching += off * off / 2 / 3;
    }
    const double weight = (s.snr(t - 1) - s.snr(t)) * std::pow(sigma, 4);
    const ReverseModel model{.variance = Variance::fixed_small};
    const double term = bound_term<double>(s, t, model, x0, eps, out).bits_per_dim * kLn2;
    EXPECT_NEAR(term / (weight * matching), 1, 1e-11) << t;
  }
}

// Vincent 2011: averaged over the x_0 that x_t may come from, the derivative is 0 at the score of
// the noised data. Data: -1 or 1, even odds.
TEST(Bound, IsLeastAtTheScoreOfTheNoisedData) {
  const Schedule s = Schedule::linear();
  for (const int t : {2, 50, 200, 700}) {
    const double a = std::sqrt(s.alpha_bar(t)), b = std::sqrt(s.one_minus_alpha_bar(t));
    for (const double x_t : {-0.9, 0.02, 0.4, 2.0}) {
      const auto likelihood = [&](double x0) {
        return std::exp(-(x_t - a * x0) * (x_t - a * x0) / (2 * b * b) +
                        (a - std::abs(x_t)) * (a - std::abs(x_t)) / (2 * b * b));
      };
      const double up = likelihood(1) / (likelihood(1) + likelihood(-1));
      const double score = (a * (2 * up - 1) - x_t) / (b * b);  // d log p(x_t) / d x_t
      const ReverseStep step(s, t,
                             {.prediction = Prediction::score, .variance = Variance::fixed_small});
      const auto slope = [&](double x0) { return step(x0, (x_t - a * x0) / b, score, 0).d_out; };
      const double size = std::abs(slope(1)) + std::abs(slope(-1));
      EXPECT_NEAR(up * slope(1) + (1 - up) * slope(-1), 0, 1e-12 * size) << t << " " << x_t;
    }
  }
}

// A symmetric positive matrix, row-major, and the linear regression of coordinate t on those after
// it.
struct Regression {
  Doubles weights;  // of t + 1, t + 2, ...
  double variance;  // left over
};

Regression regress(const std::vector<Doubles>& covariance, std::size_t t) {
  const std::size_t n = covariance.size() - t - 1;
  std::vector<Doubles> a(n, Doubles(n + 1));
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = 0; j < n; ++j) a[i][j] = covariance[t + 1 + i][t + 1 + j];
    a[i][n] = covariance[t + 1 + i][t];
  }
  for (std::size_t k = 0; k < n; ++k) {  // Gauss and Jordan; the matrix is positive
    const double pivot = a[k][k];
    for (double& x : a[k]) x /= pivot;
    for (std::size_t i = 0; i < n; ++i) {
      const double factor = a[i][k];
      if (i == k) continue;
      for (std::size_t j = 0; j <= n; ++j) a[i][j] -= factor * a[k][j];
    }
  }
  Regression r{{}, covariance[t][t]};
  for (std::size_t i = 0; i < n; ++i) {
    r.weights.push_back(a[i][n]);
    r.variance -= a[i][n] * covariance[t][t + 1 + i];
  }
  return r;
}

// Sec. 4.3: let T be the number of coordinates, and let step t of the forward process mask
// coordinate t. x_T is all masked, so its term is 0; p(x_{t-1} | x_t) predicts coordinate t from
// those after it; and the bound of Eq. (16) is what an autoregressive model p spends on the data: E
// -log p(x_0).
TEST(Bound, OfTheMaskingProcessIsTheAutoregressiveCodelength) {
  const std::vector<Doubles> covariance = {
      {2.0, 0.6, -0.3, 0.2}, {0.6, 1.5, 0.4, -0.5}, {-0.3, 0.4, 1.0, 0.3}, {0.2, -0.5, 0.3, 0.8}};
  const std::vector<Doubles> p_weights = {{0.3, -0.2, 0.1}, {0.1, -0.6}, {0.5}, {}};
  const Doubles p_variance = {1.9, 1.0, 0.7, 1.1};
  double bound = 0, entropy = 0, codelength = 0;
  for (std::size_t t = 0; t < 4; ++t) {
    const Regression q = regress(covariance, t);
    const std::size_t n = q.weights.size();
    double gap = 0, error = covariance[t][t];  // E (means' difference)^2; E (x_t - p's mean)^2
    for (std::size_t i = 0; i < n; ++i) {
      error -= 2 * p_weights[t][i] * covariance[t][t + 1 + i];
      for (std::size_t j = 0; j < n; ++j) {
        const double c = covariance[t + 1 + i][t + 1 + j];
        gap += (q.weights[i] - p_weights[t][i]) * (q.weights[j] - p_weights[t][j]) * c;
        error += p_weights[t][i] * p_weights[t][j] * c;
      }
    }
    bound += kl(q.variance, p_variance[t], gap);
    entropy += 0.5 * std::log(2 * kPi * std::exp(1) * q.variance);
    codelength += 0.5 * (std::log(2 * kPi * p_variance[t]) + error / p_variance[t]);
  }
  EXPECT_NEAR(bound + entropy, codelength, 1e-14 * 16);
  EXPECT_GT(bound, 0.01) << "the model differs from the data";
}

// KL by the definition, integrated over six standard deviations by the trapezoid rule, which for a
// smooth function that vanishes at the ends is as exact as doubles.
TEST(Bound, TermIsTheKlOfTheTwoNormals) {
  const Schedule s = Schedule::linear(100, 1e-3, 0.2);
  for (const Variance kind : {Variance::fixed_large, Variance::learned, Variance::learned_range}) {
    for (const int t : {2, 40, 100}) {
      const ReverseModel model{.prediction = Prediction::v, .variance = kind};
      const double v = kind == Variance::learned ? std::log(s.beta(t)) + 0.3 : 0.4;
      const ElementTerm e = ReverseStep(s, t, model)(0.3, -0.8, 0.25, v);
      const Posterior q = s.posterior(t);
      const double x_t =
          std::sqrt(s.alpha_bar(t)) * 0.3 + std::sqrt(s.one_minus_alpha_bar(t)) * -0.8;
      const double mean = q.c_x0 * 0.3 + q.c_xt * x_t, sd = std::sqrt(q.variance);
      const auto log_density = [](double x, double m, double variance) {
        return -(x - m) * (x - m) / (2 * variance) - 0.5 * std::log(2 * kPi * variance);
      };
      double sum = 0;
      for (int i = -900; i <= 900; ++i) {
        const double x = mean + 0.01 * i * sd;
        const double log_q = log_density(x, mean, q.variance);
        const double log_p = log_density(x, e.mean, std::exp(e.log_variance));
        sum += std::exp(log_q) * (log_q - log_p) * 0.01 * sd;
      }
      EXPECT_NEAR(e.nats, sum, 1e-10 * std::max(1.0, sum)) << t;
    }
  }
}

TEST(Bound, ClipHoldsX0AndStopsItsDerivative) {
  const Schedule s = Schedule::linear();
  const double huge = -40;  // an eps that means an x0 far beyond 1
  ReverseModel model{.prediction = Prediction::eps, .variance = Variance::fixed_large, .clip = 1};
  const ElementTerm held = ReverseStep(s, 500, model)(0.2, 0.5, huge, 0);
  EXPECT_EQ(held.x0, 1);
  EXPECT_EQ(held.d_out, 0);
  model.prediction = Prediction::mu;  // the output is the mean, whatever x0 it means
  const ElementTerm mean = ReverseStep(s, 500, model)(0.2, 0.5, 3.5, 0);
  EXPECT_EQ(mean.x0, 1);
  EXPECT_EQ(mean.mean, 3.5);
  EXPECT_NE(mean.d_out, 0);
}

TEST(Bound, PriorIsTheKlToTheStandardNormal) {
  const Schedule s = Schedule::linear(5, 0.1, 0.3);
  const double a = s.alpha_bar(5), x = 0.7;
  EXPECT_NEAR(prior_bits<double>(s, Doubles{x}), kl(1 - a, 1, a * x * x) / kLn2, 1e-15);
  EXPECT_EQ(prior_bits<double>(Schedule::jsd(5), Doubles{x}), 0);
}

TEST(Bound, FloatsGiveTheTermOfTheirValues) {
  const Schedule s = Schedule::linear();
  const std::vector<float> x0 = {0.25F, -0.5F}, eps = {0.5F, 1.25F}, out = {0.375F, 1};
  const Doubles x0_d(x0.begin(), x0.end()), eps_d(eps.begin(), eps.end()),
      out_d(out.begin(), out.end());
  const ReverseModel model;
  EXPECT_EQ(bound_term<float>(s, 9, model, x0, eps, out).bits_per_dim,
            bound_term<double>(s, 9, model, x0_d, eps_d, out_d).bits_per_dim);
}

}  // namespace
}  // namespace ddpm
