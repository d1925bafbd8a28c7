#include "ddpm/base/exact.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "ddpm/base/worst_for_test.h"

namespace ddpm {
namespace {

// The reference is libm in long double (64-bit mantissa): its own error is below 1e-19 relative.
// A double's rounding alone costs 1.1e-16 relative; the header promises 4e-16.
constexpr double kElementaryTol = 4e-16;

template <class F, class G>
double worst_absolute(F ours, G reference, double from, double to, int n) {
  double worst = 0;
  for (int i = 0; i <= n; ++i) {
    const double x = from + (to - from) * i / n;
    worst = std::max(
        worst, static_cast<double>(std::abs(ours(x) - reference(static_cast<long double>(x)))));
  }
  return worst;
}

TEST(Exact, ExpAgreesWithLongDouble) {
  const auto reference = [](long double x) { return std::exp(x); };
  EXPECT_LT(worst_relative(exact::exp, reference, -700, 709, 200'000), kElementaryTol);
  EXPECT_LT(worst_relative(exact::exp, reference, -1, 1, 200'000), kElementaryTol);
}

TEST(Exact, LogAgreesWithLongDouble) {
  const auto reference = [](long double x) { return std::log(x); };
  EXPECT_LT(worst_relative(exact::log, reference, 1e-6, 2, 200'000), kElementaryTol);
  EXPECT_LT(worst_relative(exact::log, reference, 2, 1e12, 200'000), kElementaryTol);
  EXPECT_LT(worst_relative(exact::log, reference, 0.999, 1.001, 200'000), kElementaryTol);
}

TEST(Exact, SinAndCosAgreeWithLongDouble) {
  const auto sine = [](long double x) { return std::sin(x); };
  const auto cosine = [](long double x) { return std::cos(x); };
  for (const double range : {1.0, 10.0, 1000.0, 1e6}) {
    EXPECT_LT(worst_absolute(exact::sin, sine, -range, range, 200'000), kElementaryTol) << range;
    EXPECT_LT(worst_absolute(exact::cos, cosine, -range, range, 200'000), kElementaryTol) << range;
  }
}

TEST(Exact, EdgesAreWhatIeeeExpects) {
  const double inf = std::numeric_limits<double>::infinity();
  EXPECT_EQ(exact::exp(0), 1);
  EXPECT_EQ(exact::exp(-1000), 0);
  EXPECT_EQ(exact::exp(1000), inf);
  EXPECT_EQ(exact::log(1), 0);
  EXPECT_EQ(exact::log(0), -inf);
  EXPECT_TRUE(std::isnan(exact::log(-1)));
  EXPECT_EQ(exact::log(inf), inf);
  EXPECT_EQ(exact::sin(0), 0);
  EXPECT_EQ(exact::cos(0), 1);
  EXPECT_EQ(exact::pow(0, 2), 0);
  const double tiny = std::numeric_limits<double>::denorm_min() * 12345;
  EXPECT_NEAR(exact::log(tiny), std::log(tiny), 1e-12);
}

}  // namespace
}  // namespace ddpm
