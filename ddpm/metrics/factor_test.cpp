#include "ddpm/metrics/factor.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "ddpm/metrics/formula_for_test.h"
#include "ddpm/metrics/statistics.h"

namespace ddpm {
namespace {

Matrix covariance(std::uint32_t seed, int rows, int dims) {
  ThreadPool pool(1);
  return statistics(formula_features(seed, rows, dims, 1, 0.25f), pool).covariance;
}

double worst_difference(const Factor& factor, const Matrix& m) {
  double worst = 0;
  for (int i = 0; i < m.rows; ++i) {
    for (int j = 0; j < m.cols; ++j) {
      double sum = 0;
      for (int k = 0; k < factor.rank(); ++k) sum += factor.f.at(i, k) * factor.f.at(j, k);
      worst = std::max(worst, std::abs(sum - m.at(i, j)));
    }
  }
  return worst;
}

// Backward error of Cholesky: (d + 1) 2^-53 of the variances, which are below 1 here.
TEST(Factor, TimesItsTransposeIsTheCovariance) {
  ThreadPool pool(2);
  for (const int d : {1, 5, 64, 65, 150}) {  // panels are 64 wide
    const Matrix m = covariance(3, 4 * d + 4, d);
    const Factor f = factor(m, "m", pool);
    EXPECT_TRUE(f.lower);
    EXPECT_EQ(f.rank(), d);
    EXPECT_LT(worst_difference(f, m), (d + 1) * 0x1p-52) << d;
  }
}

// What rounding leaves of the last pivot is positive as often as not: it must not count. N images
// have a covariance of rank N - 1.
TEST(Factor, OfASingularCovarianceHasItsRank) {
  ThreadPool pool(2);
  for (std::uint32_t seed = 1; seed <= 300; ++seed) {
    const Matrix m = covariance(seed, 40, 40);
    const Factor f = factor(m, "m", pool);
    EXPECT_EQ(f.rank(), 39) << seed;
    EXPECT_LT(worst_difference(f, m), 40 * 0x1p-50) << seed;  // the residual that pivoting leaves
  }
}

TEST(Factor, OfConstantFeaturesIsEmpty) {
  ThreadPool pool(1);
  EXPECT_EQ(factor(Matrix(4, 4), "m", pool).rank(), 0);
}

TEST(Factor, DoesNotDependOnThreads) {
  ThreadPool one(1), three(3);
  for (const int rows : {100, 700}) {
    const Matrix m = covariance(7, rows, 150);
    EXPECT_EQ(factor(m, "m", one).f, factor(m, "m", three).f);
  }
}

}  // namespace
}  // namespace ddpm
