#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "ddpm/base/exact.h"
#include "ddpm/base/worst_for_test.h"

namespace ddpm {
namespace {

// Long double's own functions are right to a few of its 5e-20. Ours: a dozen roundings of 1.1e-16
// and exp's or log's error, twice.
constexpr double kTol = 2e-15;
constexpr double kInf = std::numeric_limits<double>::infinity();

constexpr auto kErf = [](long double x) { return std::erf(x); };
constexpr auto kErfc = [](long double x) { return std::erfc(x); };
const long double kRootHalf = std::sqrt(0.5L);

TEST(ExactErf, Expm1AndLog1pAgreeWithLongDouble) {
  const auto grown = [](long double x) { return std::expm1(x); };
  const auto logarithm = [](long double x) { return std::log1p(x); };
  for (const double range : {1e-12, 1e-3, 0.4, 1.0}) {
    EXPECT_LT(worst_relative(exact::expm1, grown, -range, range), 1e-15) << range;
    EXPECT_LT(worst_relative(exact::log1p, logarithm, -range * 0.999, range), 1e-15) << range;
  }
  EXPECT_LT(worst_relative(exact::expm1, grown, -50, 700), 1e-15);
  EXPECT_LT(worst_relative(exact::log1p, logarithm, 1, 1e9), 1e-15);
  EXPECT_EQ(exact::log1p(-1), -kInf);
  EXPECT_TRUE(std::isnan(exact::log1p(-2)));
  EXPECT_EQ(exact::expm1(-1000), -1);
  EXPECT_EQ(exact::log1p(1e-300), 1e-300);
}

TEST(ExactErf, TanhAndSigmoidAgreeWithLongDouble) {
  const auto tangent = [](long double x) { return std::tanh(x); };
  const auto logistic = [](long double x) { return 1 / (1 + std::exp(-x)); };
  for (const double range : {1e-9, 1.0, 30.0, 400.0}) {
    EXPECT_LT(worst_relative(exact::tanh, tangent, -range, range), kTol) << range;
    EXPECT_LT(worst_relative(exact::sigmoid, logistic, -range, range), kTol) << range;
  }
  EXPECT_EQ(exact::tanh(1e6), 1);
  EXPECT_EQ(exact::tanh(-1e6), -1);
  EXPECT_EQ(exact::sigmoid(-2000), 0);
}

TEST(ExactErf, ErfAndErfcAgreeWithLongDouble) {
  for (const double range : {1e-9, 0.3, 0.7, 3.0, 30.0}) {
    EXPECT_LT(worst_relative(exact::erf, kErf, -range, range), kTol) << range;
  }
  EXPECT_LT(worst_relative(exact::erfc, kErfc, -6, 2), kTol);
  EXPECT_LT(worst_relative(exact::erfc, kErfc, 2, 26),
            kTol);  // beyond, double has no normal number
  EXPECT_EQ(exact::erfc(-40), 2);
  EXPECT_EQ(exact::erfc(40), 0);
  EXPECT_EQ(exact::erf(kInf), 1);
}

// erfcx(x) = e^x^2 erfc(x) while long double holds both: its 64 bits lose x^2 2^-64 <= 5e-16 in
// the exponent.
TEST(ExactErf, ErfcxAgreesWithLongDouble) {
  const auto scaled = [](long double x) { return std::exp(x * x) * std::erfc(x); };
  EXPECT_LT(worst_relative(exact::erfcx, scaled, 0, 100), kTol);
  EXPECT_NEAR(exact::erfcx(1e9) * 1e9 * std::sqrt(M_PI), 1, kTol);
  EXPECT_NEAR(exact::erfcx(9e7) * 9e7 * std::sqrt(M_PI), 1, kTol);
  EXPECT_EQ(exact::erfcx(kInf), 0);
}

TEST(ExactErf, LogNormalCdfAgreesWithLongDouble) {
  const auto log_cdf = [](long double x) { return std::log(std::erfc(-x * kRootHalf) / 2); };
  // Near 0 the value is log(1/2); x^2/2 is rounded to double before it is subtracted from.
  EXPECT_LT(worst_relative(exact::log_normal_cdf, log_cdf, -140, 0), kTol);
  const auto upper = [](long double x) { return std::log1p(-std::erfc(x * kRootHalf) / 2); };
  // Above 0, sqrt(1/2) x is rounded (2^-53, the constant too) and then squared in the exponent.
  EXPECT_LT(worst_relative(exact::log_normal_cdf, upper, 0, 5), kTol + 25 * 2 * 0x1p-53);
  EXPECT_LT(worst_relative(exact::log_normal_cdf, upper, 5, 36), kTol + 36 * 36 * 2 * 0x1p-53);
  EXPECT_NEAR(exact::log_normal_cdf(-1e10) / -5e19, 1, kTol);
  EXPECT_EQ(exact::log_normal_cdf(kInf), 0);
}

// A bin of any width anywhere. The mass of a narrow bin is a difference: the error of its logarithm
// is kTol / (1 - ratio of the two masses), and the tail's logarithm itself is rounded.
TEST(ExactErf, LogNormalMassAgreesWithLongDouble) {
  for (const double width : {1e-3, 0.1, 1.0, 5.0}) {
    for (double a = -90; a <= 90; a += 0.37) {
      const double b = a + width;
      const long double near = std::max<long double>(0, std::min(std::abs(a), std::abs(b)));
      const bool straddles = a < 0 && b > 0;
      const long double lo = straddles ? a : near,
                        hi = straddles ? b : near + (static_cast<long double>(b) - a);
      const long double mass = straddles
                                   ? (std::erf(hi * kRootHalf) - std::erf(lo * kRootHalf)) / 2
                                   : (std::erfc(lo * kRootHalf) - std::erfc(hi * kRootHalf)) / 2;
      const double slope = std::min(1.0, width * (std::abs(a) + 0.8));  // mass / mass of the tail
      const double tolerance = 4 * kTol / slope * (1 + a * a);
      EXPECT_NEAR(exact::log_normal_mass(a, b), static_cast<double>(std::log(mass)), tolerance)
          << a << " + " << width;
    }
  }
}

TEST(ExactErf, LogNormalMassOfTheWholeLineIsOneAndOfNothingZero) {
  EXPECT_EQ(exact::log_normal_mass(-kInf, kInf), 0);
  EXPECT_EQ(exact::log_normal_mass(-kInf, -3), exact::log_normal_cdf(-3));
  EXPECT_EQ(exact::log_normal_mass(3, kInf), exact::log_normal_cdf(-3));
  EXPECT_EQ(exact::log_normal_mass(2, 2), -kInf);
  EXPECT_NEAR(exact::log_normal_mass(1e5, 1e5 + 1), -5e9 - std::log(1e5 * std::sqrt(2 * M_PI)),
              1e-5);
}

}  // namespace
}  // namespace ddpm
