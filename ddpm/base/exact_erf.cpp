// The error function and the normal distribution, from exp, log and one Chebyshev series.
#include <array>
#include <cmath>
#include <limits>

#include "ddpm/base/exact.h"

namespace ddpm {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr double kTwoOverRootPi = 1.12837916709551257390;
constexpr double kRootHalf = 0.70710678118654752440;

// (1 + 2 x) erfcx(x), x >= 0, in y = (x - 3.75) / (x + 3.75) (Shepherd & Laframboise 1981).
// Coefficients from 64 Chebyshev nodes in 50 digits (mpmath); the first left out is 5e-20.
constexpr std::array kChebyshev = {
    0x1.2d75d0246cee8p+0,   -0x1.2cd0564f8c1b7p-8,  -0x1.59159e8868995p-4,  0x1.e50c3e7c7dccep-5,
    -0x1.b4c68f4569326p-6,  0x1.295e991a7d82dp-7,   -0x1.3c4c54f8d419dp-9,  0x1.014ed1572209ap-11,
    -0x1.221e6f70130b5p-14, 0x1.15c3f597f0492p-18,  0x1.9f8f03ca86fc1p-21,  -0x1.d601c320c8f9cp-23,
    0x1.71e1efca86cf9p-27,  0x1.36bf2885524c9p-28,  -0x1.aa4d7b1cdf20ap-31, -0x1.15df59ca6082bp-34,
    0x1.f8af0a9aa6d31p-36,  0x1.b61b723941781p-43,  -0x1.0fc16c00b50f2p-40, 0x1.24f6a772cbc36p-45,
    0x1.2d8b49ab5f72bp-45,  -0x1.0cb63a80de2c5p-49, -0x1.6884628ace07ap-50, 0x1.561b105822235p-54,
    0x1.d3744857e262bp-55,  -0x1.4a219c71bb4d2p-59, -0x1.42cb7ae4cd5a0p-59};

// sum_j kChebyshev[j] T_j(y), |y| <= 1, by Clenshaw's recurrence.
double chebyshev(double y) {
  double b1 = 0, b2 = 0;
  for (std::size_t j = kChebyshev.size() - 1; j > 0; --j) {
    const double b = 2 * y * b1 - b2 + kChebyshev[j];
    b2 = b1;
    b1 = b;
  }
  return y * b1 - b2 + kChebyshev[0];
}

// e^-x^2. The square's rounding, up to 2^-54 x^2, would be an error of that size: put back to first
// order.
double exp_minus_square(double x) {
  const double square = x * x;
  const double lost = std::fma(x, x, -square);
  const double value = exact::exp(-square);
  return value == 0 ? 0 : value * (1 - lost);
}

// Taylor series, |x| <= 0.65: terms x^2n / (n! (2n + 1)), the 17th below 1e-21.
double erf_near_zero(double x) {
  const double z = -x * x;
  double power = 1, sum = 0;
  for (int n = 1; n <= 16; ++n) {
    power *= z / n;
    sum += power / (2 * n + 1);
  }
  return kTwoOverRootPi * (x + x * sum);
}

double log_erfc(double x) {
  return x < 0 ? exact::log(exact::erfc(x)) : exact::log(exact::erfcx(x)) - x * x;
}

// log (e^log_large - e^log_small).
double log_difference(double log_large, double log_small) {
  const double ratio = log_small - log_large;  // <= 0
  if (ratio == -kInf) return log_large;
  return log_large + (ratio > -exact::kLn2 ? exact::log(-exact::expm1(ratio))
                                           : exact::log1p(-exact::exp(ratio)));
}

}  // namespace

double exact::erfcx(double x) {
  if (x > 1e8) return kTwoOverRootPi / 2 / x;  // the next term is 1 / (2 x^2) of it; inf: 0
  return chebyshev((x - 3.75) / (x + 3.75)) / (1 + 2 * x);
}

double exact::erf(double x) {
  if (std::abs(x) <= 0.65) return erf_near_zero(x);
  return x < 0 ? -1 + exact::erfc(-x) : 1 - exact::erfc(x);
}

double exact::erfc(double x) {
  if (x < 0) return 1 + exact::erf(-x);
  if (x > 28) return 0;  // below the smallest number
  return x <= 0.4 ? 1 - erf_near_zero(x) : exp_minus_square(x) * exact::erfcx(x);
}

double exact::log_normal_cdf(double x) {
  // Above 0 the complement has the digits.
  if (x > 0) return exact::log1p(-exact::erfc(x * kRootHalf) / 2);
  return log_erfc(-x * kRootHalf) - exact::kLn2;
}

double exact::log_normal_mass(double a, double b) {
  if (a > 0) return exact::log_normal_mass(-b, -a);  // the tail whose masses are not rounded to 1
  if (b <= 0) return log_difference(exact::log_normal_cdf(b), exact::log_normal_cdf(a));
  const double right = exact::erf(b * kRootHalf), left = exact::erf(-a * kRootHalf);
  return exact::log((right + left) / 2);  // both >= 0
}

}  // namespace ddpm
