#include "ddpm/base/exact.h"

#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>

namespace ddpm::exact {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

// Constants in two parts: the high one has trailing zero bits, so that k * high is exact for the k
// that occur.
constexpr double kLn2High = 0x1.62e42fee00000p-1, kLn2Low = 0x1.a39ef35793c76p-33;
constexpr double kHalfPi1 = 0x1.921fb54400000p+0, kHalfPi2 = 0x1.0b4611a600000p-34,
                 kHalfPi3 = 0x1.3198a2e037073p-69;

double power_of_two(int k) {
  return std::bit_cast<double>(static_cast<std::uint64_t>(k + 1023) << 52);
}

// sum_i coefficients[i] * x^i by Horner's rule.
template <std::size_t n>
double horner(double x, const std::array<double, n>& coefficients) {
  double sum = coefficients[n - 1];
  for (std::size_t i = n - 1; i-- > 0;) sum = sum * x + coefficients[i];
  return sum;
}

constexpr double inverse_factorial(int n) {
  double product = 1;
  for (int i = 2; i <= n; ++i) product *= i;
  return 1 / product;
}

// coefficient(0), coefficient(1), ...: worked out by the compiler, which rounds as IEEE 754 does.
template <std::size_t n, class Coefficient>
constexpr std::array<double, n> table(Coefficient coefficient) {
  std::array<double, n> values{};
  for (std::size_t i = 0; i < n; ++i) values[i] = coefficient(static_cast<int>(i));
  return values;
}

constexpr auto kSine =
    table<8>([](int i) { return (i % 2 ? 1 : -1) * inverse_factorial(2 * i + 3); });
constexpr auto kCosine =
    table<8>([](int i) { return (i % 2 ? -1 : 1) * inverse_factorial(2 * i + 4); });
constexpr auto kExp = table<13>([](int i) { return inverse_factorial(i + 2); });
constexpr auto kLog = table<11>([](int i) { return 2.0 / (2 * i + 3); });

// sin r and cos r for |r| <= pi/4 + a little: Taylor, remainders below 2e-18 and 4e-17. `tail` is a
// correction to r.
double sin_near_zero(double r, double tail) {
  const double z = r * r;
  const double series = horner(z, kSine);
  return r + (r * z * series + tail * (1 - z / 2));
}

double cos_near_zero(double r, double tail) {
  const double z = r * r;
  const double series = horner(z, kCosine);
  const double half = z / 2;
  const double w = 1 - half;
  return w + (((1 - w) - half) + (z * z * series - r * tail));
}

// x = quadrant * pi/2 + r + tail.
struct Reduced {
  int quadrant;
  double r, tail;
};

Reduced reduce(double x) {
  const double k = std::rint(x * 0.63661977236758134308);
  const double a = x - k * kHalfPi1;
  const double b = k * kHalfPi2;
  const double first = a - b;
  const double low = ((a - first) - b) - k * kHalfPi3;
  const double r = first + low;
  return {static_cast<int>(static_cast<std::int64_t>(k) & 3), r, (first - r) + low};
}

double sin_quadrant(const Reduced& q, int shift) {
  const int quadrant = (q.quadrant + shift) & 3;
  const double value = quadrant % 2 ? cos_near_zero(q.r, q.tail) : sin_near_zero(q.r, q.tail);
  return quadrant < 2 ? value : -value;
}

}  // namespace

double exp(double x) {
  if (std::isnan(x)) return x;
  if (x > 709.782712893384) return kInf;
  if (x < -745.2) return 0;
  const double k = std::rint(x * 1.44269504088896340736);
  const double high = x - k * kLn2High;
  const double low = k * kLn2Low;
  const double r = high - low;  // |r| <= ln(2) / 2
  const double error = (high - r) - low;
  // e^r = 1 + r + r^2 (1/2 + r/6 + ...), Taylor to r^14: remainder 3e-20.
  const double series = horner(r, kExp);
  const double value = 1 + (r + (r * r * series + error));
  const int half =
      static_cast<int>(k) / 2;  // two steps, so that subnormal results round once at the end
  return value * power_of_two(half) * power_of_two(static_cast<int>(k) - half);
}

double log(double x) {
  if (std::isnan(x) || x < 0) return kNaN;
  if (x == 0) return -kInf;
  if (x == kInf) return kInf;
  int k = 0;
  if (x < std::numeric_limits<double>::min()) {
    x *= 0x1p54;
    k = -54;
  }
  const auto bits = std::bit_cast<std::uint64_t>(x);
  k += static_cast<int>(bits >> 52) - 1023;
  double m = std::bit_cast<double>((bits & 0xfffffffffffffULL) | 0x3ff0000000000000ULL);
  if (m > 1.41421356237309504880) {
    m /= 2;
    ++k;
  }
  // log m = 2 atanh(s), s = (m - 1) / (m + 1), |s| <= 0.1716, written as f - (f^2/2 - s (f^2/2 +
  // R)).
  const double f = m - 1;
  const double s = f / (2 + f);
  const double z = s * s;
  const double series = z * horner(z, kLog);
  const double half = f * f / 2;
  return k * kLn2High - ((half - (s * (half + series) + k * kLn2Low)) - f);
}

double expm1(double x) {
  if (x < -0.34 || x > 0.34) return exp(x) - 1;  // at most 4 of exp's roundings
  return x + x * x * horner(x, kExp);            // |x| below ln(2) / 2, as in exp
}

double log1p(double x) {
  const double u = 1 + x;
  if (!(u > 0) || u == kInf) return log(u);
  return log(u) - ((u - 1) - x) / u;  // what the sum lost, to first order
}

double tanh(double x) {
  const double grown = expm1(2 * std::abs(x));
  const double value = grown == kInf ? 1 : grown / (grown + 2);
  return x < 0 ? -value : value;
}

double sigmoid(double x) {
  const double shrunk = exp(-std::abs(x));  // at most 1: no overflow
  return (x < 0 ? shrunk : 1) / (1 + shrunk);
}

double pow(double x, double y) {
  if (x == 0 && y > 0) return 0;
  return exp(y * log(x));
}

double sin(double x) { return sin_quadrant(reduce(x), 0); }
double cos(double x) { return sin_quadrant(reduce(x), 1); }

}  // namespace ddpm::exact
