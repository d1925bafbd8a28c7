#include "ddpm/diffusion/decoder.h"

#include <gtest/gtest.h>

#include <cmath>

#include "ddpm/base/error.h"

namespace ddpm {
namespace {

double level(int i) { return -1 + 2.0 * i / 255; }

// 256 masses, each right to 1e-14 of itself.
TEST(Decoder, MassesOfAllLevelsAddUpToOne) {
  for (const double mean : {-3.0, -1.0, 0.003, 0.4, 1.2}) {
    for (const double log_variance : {-14.0, -9.0, -3.0, 0.0, 3.0}) {
      double sum = 0;
      for (int i = 0; i < 256; ++i) {
        sum += std::exp(log_level_mass(level(i), mean, log_variance, Decoder::exact).value);
      }
      EXPECT_NEAR(sum, 1, 1e-13) << mean << " " << log_variance;
    }
  }
}

// Against long double in its range: the complementary error function of both edges.
TEST(Decoder, ExactMassAgreesWithLongDouble) {
  const long double root_half = std::sqrt(0.5L);
  for (const double log_variance : {-10.0, -7.0, -2.0}) {
    const long double sigma = std::exp(static_cast<long double>(log_variance) / 2);
    for (int i = 1; i < 255; i += 7) {
      for (const double mean : {-0.9, 0.0, 0.31}) {
        const long double centre = std::abs(static_cast<long double>(level(i)) - mean);
        const long double a = (centre - 1.0L / 255) / sigma, b = (centre + 1.0L / 255) / sigma;
        if (b > 100) continue;
        const long double want =
            std::log((std::erfc(a * root_half) - std::erfc(b * root_half)) / 2);
        // The distance is rounded to 2^-54 and divided by sigma, then squared.
        const double tolerance = 1e-12 + static_cast<double>(b / sigma) * 0x1p-53;
        EXPECT_NEAR(log_level_mass(level(i), mean, log_variance, Decoder::exact).value,
                    static_cast<double>(want), tolerance)
            << i << " " << mean << " " << log_variance;
      }
    }
  }
}

// A thousand standard deviations away the mass is 1e-217000 and its logarithm a number: -z^2/2 of
// the near edge, less log z and 0.92.
TEST(Decoder, TailsStayFinite) {
  const double sigma = 1e-3, mean = -1 + 1.0;
  const LogMass far = log_level_mass(level(255), mean, 2 * std::log(sigma), Decoder::exact);
  const double z = (1 - 1.0 / 255 - mean) / sigma;
  EXPECT_NEAR(far.value, -z * z / 2 - std::log(z) - 0.9189385, 1e-5);
  EXPECT_NEAR(far.d_mean, z / sigma, 1.1 / z / sigma);
  EXPECT_NEAR(far.d_log_variance, z * z / 2, 1);
  EXPECT_TRUE(std::isfinite(log_level_mass(level(3), 50, -18, Decoder::exact).d_mean));
}

// A mean far out of range or a variance near 0, where -z^2/2 alone fills a double: both slopes are
// those of -z^2/2 - log z, up to z^-4 of them and the rounding of z.
TEST(Decoder, SlopesAreRightBeyondAThousandDeviations) {
  for (const double log_variance : {-40.0, -20.0, -13.3}) {
    const double sigma = std::exp(log_variance / 2);
    for (const int i : {0, 100, 255}) {
      for (const double mean : {-50.0, -3.0, 3.0, 1e4}) {
        const double gap = mean - level(i);
        const bool open = (gap < 0 && i == 0) || (gap > 0 && i == 255);  // its bin has no end there
        if (open) continue;
        const double z = (std::abs(gap) - 1.0 / 255) / sigma;
        const LogMass far = log_level_mass(level(i), mean, log_variance, Decoder::exact);
        const double slope = (z + 1 / z) * (gap > 0 ? -1 : 1);
        EXPECT_NEAR(far.d_mean * sigma, slope, 1e-12 * z)
            << i << " " << log_variance << " " << mean;
        EXPECT_NEAR(far.d_log_variance, z * z / 2, 0.5 + 1e-12 * z * z)
            << i << " " << log_variance << " " << mean;
      }
    }
  }
}

// Where the formula for far tails begins, the two meet: a step of 2e-9 sigma moves d_mean by as
// much, and end_of() keeps 1e-16 z^2 / 2 of its digits.
TEST(Decoder, FarTailsGoOnWhereNearOnesEnd) {
  for (const double log_variance : {-8.0, 6.0}) {
    const double sigma = std::exp(log_variance / 2), edge = level(40) - 1.0 / 255;
    const auto at = [&](double z) {
      return log_level_mass(level(40), edge - z * sigma, log_variance, Decoder::exact);
    };
    const LogMass near = at(1000 - 1e-9), far = at(1000 + 1e-9);
    EXPECT_NEAR(far.d_mean * sigma, near.d_mean * sigma, 1e-6);
    EXPECT_NEAR(far.d_log_variance, near.d_log_variance, 1e-3);
  }
}

TEST(Decoder, ApproximationHoldsProbabilitiesAboveItsLeast) {
  const LogMass far = log_level_mass(level(20), 0.9, -8, Decoder::tanh);
  EXPECT_EQ(far.value, std::log(1e-12));
  EXPECT_EQ(far.d_mean, 0);
  EXPECT_EQ(far.d_log_variance, 0);
}

// Page 1977: the approximation is within 2e-4 of Phi, so a mass of 0.1 or more within 4e-3 of
// itself.
TEST(Decoder, ApproximationIsClose) {
  for (const double log_variance : {-11.0, -8.0}) {
    for (const double off : {-0.004, 0.0, 0.003}) {
      const double exact =
          log_level_mass(level(99), level(99) + off, log_variance, Decoder::exact).value;
      const double close =
          log_level_mass(level(99), level(99) + off, log_variance, Decoder::tanh).value;
      if (exact < std::log(0.1)) continue;
      EXPECT_NEAR(close, exact, 4e-3);
      EXPECT_NE(close, exact);
    }
  }
}

// The four-point difference with h = 1e-3 sigma: off by h^4 / 30 of the fifth derivative (below
// 1e3), and by rounding 1e-15 |log p| / h.
TEST(Decoder, SlopesAreTheNumericOnes) {
  for (const Decoder decoder : {Decoder::exact, Decoder::tanh}) {
    for (const int i : {0, 1, 128, 254, 255}) {
      for (const double log_variance : {-9.0, -4.0, 1.0}) {
        for (const double away : {-1.7, -0.2, 0.0, 0.9}) {
          const double sigma = std::exp(log_variance / 2), mean = level(i) + away * sigma;
          const auto value = [&](double d_mean, double d_log) {
            return log_level_mass(level(i), mean + d_mean, log_variance + d_log, decoder).value;
          };
          const auto slope = [&](auto f, double h) {
            return (8 * (f(h) - f(-h)) - (f(2 * h) - f(-2 * h))) / (12 * h);
          };
          const LogMass got = log_level_mass(level(i), mean, log_variance, decoder);
          const double h = 1e-3;
          EXPECT_NEAR(got.d_mean * sigma, slope([&](double d) { return value(d * sigma, 0); }, h),
                      2e-9)
              << i << " " << log_variance << " " << away;
          EXPECT_NEAR(got.d_log_variance, slope([&](double d) { return value(0, d); }, h), 2e-9)
              << i << " " << log_variance << " " << away;
        }
      }
    }
  }
}

TEST(Decoder, NamesAreReadBack) {
  EXPECT_EQ(parse_decoder(to_string(Decoder::tanh)), Decoder::tanh);
  EXPECT_EQ(parse_decoder("exact"), Decoder::exact);
  EXPECT_THROW(parse_decoder("erf"), Error);
}

}  // namespace
}  // namespace ddpm
