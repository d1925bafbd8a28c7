#include "ddpm/diffusion/plan_phi.h"

#include <gtest/gtest.h>

#include <cmath>

namespace ddpm {
namespace {

// phi_k(z) = integral of e^((1 - s) z) s^(k - 1) / (k - 1)! over s in 0..1, by Simpson's rule with
// 2000 pieces.
double phi_by_quadrature(int k, double z) {
  const int n = 2000;
  const double factorial = std::tgamma(k);
  double sum = 0;
  for (int i = 0; i <= n; ++i) {
    const double s = static_cast<double>(i) / n;
    const double weight = i == 0 || i == n ? 1 : i % 2 == 1 ? 4 : 2;
    sum += weight * std::exp((1 - s) * z) * std::pow(s, k - 1) / factorial;
  }
  return sum / (3 * n);
}

// Simpson's error is at most the fourth derivative, (|z| + k)^4 times the integrand's size, / (180
// 2000^4); 1e-13 for the roundings of the recursion near |z| = 1, where 1 / z^4 multiplies them.
TEST(Phi, IsTheIntegralOfTheExponential) {
  for (const double z : {-20.0, -3.0, -1.0000001, -0.9999999, -0.1, 0.0, 1e-9, 0.5, 1.5, 8.0}) {
    EXPECT_NEAR(phi(0, z), std::exp(z), 1e-14 * std::exp(z));
    for (int k = 1; k <= 4; ++k) {
      const double want = phi_by_quadrature(k, z);
      const double simpson = std::pow((std::abs(z) + k) / 2000, 4) / 180;
      const double size = std::max(1.0, std::exp(z));
      EXPECT_NEAR(phi(k, z), want, (simpson + 1e-13) * size) << k << ' ' << z;
    }
  }
}

TEST(Lagrange, IsOneAtItsNodeAndZeroAtTheOthers) {
  const std::vector<double> nodes = {0, 0.3, -1.25, 4};
  for (std::size_t k = 0; k < nodes.size(); ++k) {
    const std::vector<double> c = lagrange(nodes, k);
    for (std::size_t j = 0; j < nodes.size(); ++j) {
      double value = 0;
      for (std::size_t p = c.size(); p-- > 0;) value = value * nodes[j] + c[p];
      EXPECT_NEAR(value, j == k ? 1 : 0, 1e-13);  // powers up to 64 of coefficients near 1
    }
  }
}

TEST(Solve, SwapsRowsWhereAPivotIsZero) {
  const std::vector<double> x = solve({0, 2, 1, 1, 0, 3, 4, 1, 0}, {7, 10, 6});  // x = (1, 2, 3)
  for (int i = 0; i < 3; ++i) EXPECT_NEAR(x[i], i + 1, 1e-15 * 16);
}

}  // namespace
}  // namespace ddpm
