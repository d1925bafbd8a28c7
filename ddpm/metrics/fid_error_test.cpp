#include "ddpm/metrics/fid_error.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "ddpm/base/error.h"
#include "ddpm/base/philox.h"
#include "ddpm/metrics/fid.h"
#include "ddpm/metrics/fid_infinity.h"
#include "ddpm/metrics/formula_for_test.h"

namespace ddpm {
namespace {

// Set `draw` of one of two normal distributions: the second is shifted and wider along one axis,
// which the next one is correlated with.
Features drawn(bool second, int draw, int rows, int dims) {
  std::vector<float> x(std::size_t{1} * rows * dims);
  fill_normal({.seed = second ? 2U : 1U, .image = static_cast<std::uint64_t>(draw)}, x);
  for (std::size_t i = 0; second && i < x.size(); ++i) {
    if (i % dims == 0) x[i] = 2 * x[i] + 1;
    if (i % dims == 1) x[i] += 0.7f * x[i - 1];
  }
  return {dims, x};
}

double deviation(const std::vector<double>& values) {
  const auto n = static_cast<double>(values.size());
  const double mean = std::accumulate(values.begin(), values.end(), 0.0) / n;
  double squares = 0;
  for (const double v : values) squares += (v - mean) * (v - mean);
  return std::sqrt(squares / (n - 1));
}

// With 200 draws a spread is known to 5 % (1 / sqrt(2 * 200)); three times that.
TEST(FidStandardError, IsTheSpreadOverNewSets) {
  constexpr int kDraws = 200, kRows = 400, kDims = 4;
  ThreadPool pool(1);
  std::vector<double> distances;
  double of_features = 0, of_statistics = 0;
  for (int draw = 0; draw < kDraws; ++draw) {
    const Features a = drawn(false, draw, kRows, kDims), b = drawn(true, draw, kRows, kDims);
    const Statistics sa = statistics(a, pool), sb = statistics(b, pool);
    distances.push_back(frechet_distance(sa, sb, pool).value());
    const auto error = [&](const Features* fa, const Features* fb) {
      return frechet_standard_error(influence_variance(fa, sa, fb, sb, pool), kRows, kRows);
    };
    of_features += error(&a, &b) / kDraws;
    of_statistics += error(&a, nullptr) / kDraws;
  }
  EXPECT_NEAR(of_features / deviation(distances), 1, 0.15);
  EXPECT_NEAR(of_statistics / deviation(distances), 1, 0.15);
}

struct Sizes {
  int dims, a, b;
};

class Influence : public testing::TestWithParam<Sizes> {};

// The distance's derivative as image i of set a counts more: mean + e x, covariance + e (x x^T - S)
// for the centred image x. Central differences of 1e-5: their error is 1e-10 of third derivatives,
// and the distance's rounding of 1e-14 becomes 1e-9.
double variance_by_differences(const Features& a, const Statistics& sa, const Statistics& sb) {
  ThreadPool pool(1);
  constexpr double kStep = 1e-5;
  std::vector<double> influences;
  for (int i = 0; i < a.rows(); ++i) {
    const auto moved = [&](double e) {
      Statistics s = sa;
      for (int j = 0; j < a.dims(); ++j) {
        const double x = a.at(i, j) - sa.mean[j];
        s.mean[j] += e * x;
        for (int k = 0; k < a.dims(); ++k) {
          s.covariance.at(j, k) += e * (x * (a.at(i, k) - sa.mean[k]) - sa.covariance.at(j, k));
        }
      }
      return frechet_distance(s, sb, pool).value();
    };
    influences.push_back((moved(kStep) - moved(-kStep)) / (2 * kStep));
  }
  return std::pow(deviation(influences), 2) * (a.rows() - 1) / a.rows();
}

TEST_P(Influence, IsTheDerivativeByAnImagesWeightInBothSets) {
  ThreadPool pool(1);
  const auto [d, na, nb] = GetParam();
  const Features a = formula_features(3, na, d, 1, 0.25f), b = formula_features(4, nb, d, 1.5f, 0);
  const Statistics sa = statistics(a, pool), sb = statistics(b, pool);
  const InfluenceVariance v = influence_variance(&a, sa, &b, sb, pool);
  EXPECT_NEAR(v.a / variance_by_differences(a, sa, sb), 1, 1e-5);
  EXPECT_NEAR(v.b / variance_by_differences(b, sb, sa), 1, 1e-5);
  const InfluenceVariance swapped = influence_variance(&b, sb, &a, sa, pool);
  EXPECT_EQ(swapped.a, v.b);
  EXPECT_EQ(swapped.b, v.a);
}

// Where both sets are of lower rank the distance has a kink at every image that leaves their spans.
INSTANTIATE_TEST_SUITE_P(Sizes, Influence,
                         testing::Values(Sizes{1, 9, 12}, Sizes{5, 12, 14}, Sizes{8, 30, 20},
                                         Sizes{16, 40, 50}));

TEST(FidStandardError, HoldsASetOfUnknownSizeFixed) {
  EXPECT_DOUBLE_EQ(frechet_standard_error({.a = 8, .b = 18}, 2, 0), 2);
  EXPECT_DOUBLE_EQ(frechet_standard_error({.a = 8, .b = 18}, 0, 2), 3);
  EXPECT_DOUBLE_EQ(frechet_standard_error({.a = 9, .b = 16}, 1, 1), 5);
}

TEST(FidStandardError, DoesNotDependOnOrderOrThreads) {
  ThreadPool one(1), three(3);
  const Features a = x1(), b = x2();
  const Statistics sa = statistics(a, one), sb = statistics(b, one);
  std::vector<int> reversed(300);
  std::iota(reversed.rbegin(), reversed.rend(), 0);
  const Features turned = a.select(reversed);
  EXPECT_EQ(influence_variance(&a, sa, &b, sb, one).a,
            influence_variance(&turned, sa, &b, sb, three).a);
  EXPECT_EQ(influence_variance(nullptr, sa, &b, sb, one).a,
            influence_variance(nullptr, sa, &b, sb, three).a);
}

TEST(FidStandardError, RefusesOtherDimensions) {
  ThreadPool pool(1);
  const Statistics a = statistics(x1(), pool);
  const Statistics b = statistics(formula_features(1, 20, 5, 1, 0), pool);
  EXPECT_THROW(influence_variance(nullptr, a, nullptr, b, pool), Error);
}

// The distance of n images is biased by about slope / n: the line must find the slope's sign, and
// the value at infinity lies below all.
TEST(FidAtInfinity, IsTheInterceptOfALineThroughSubsets) {
  ThreadPool pool(2);
  const Features a = formula_features(5, 600, 8, 1, 0.25f);
  const Statistics reference = statistics(formula_features(6, 600, 8, 1, 0.2f), pool);
  const FrechetAtInfinity f = frechet_at_infinity(a, reference, 3, pool);
  ASSERT_EQ(f.sizes.size(), 15u);
  EXPECT_EQ(f.sizes.front(), 60);
  EXPECT_EQ(f.sizes.back(), 600);
  EXPECT_EQ(f.sizes[1], 98);  // numpy.linspace(60, 600, 15).astype(int)
  EXPECT_EQ(f.distances.back(), frechet_distance(statistics(a, pool), reference, pool).value());
  EXPECT_GT(f.slope, 0);
  EXPECT_LT(f.value, f.distances.back());
  EXPECT_GT(f.standard_error, 0);
  double residual = 0, moment = 0;  // normal equations of least squares
  for (std::size_t i = 0; i < f.sizes.size(); ++i) {
    const double r = f.distances[i] - f.value - f.slope / f.sizes[i];
    residual += r;
    moment += r / f.sizes[i];
  }
  EXPECT_NEAR(residual, 0, 1e-13);
  EXPECT_NEAR(moment, 0, 1e-15);
  std::vector<int> reversed(600);
  std::iota(reversed.rbegin(), reversed.rend(), 0);
  EXPECT_EQ(frechet_at_infinity(a.select(reversed), reference, 3, pool).value, f.value);
  EXPECT_NE(frechet_at_infinity(a, reference, 4, pool).value, f.value);
  EXPECT_THROW(frechet_at_infinity(a.slice(0, 19), reference, 3, pool), Error);
}

// Subsets overlap, and all come from one set: the scatter about the line knows only of the first.
// 150 draws tell a spread to 6 %; three times that.
TEST(FidAtInfinity, HasTheSpreadOverNewSetsAsItsError) {
  constexpr int kDraws = 150, kRows = 200, kDims = 3;
  ThreadPool pool(1);
  std::vector<double> values;
  double predicted = 0, of_scatter = 0;
  for (int draw = 0; draw < kDraws; ++draw) {
    const Features a = drawn(false, draw, kRows, kDims), b = drawn(true, draw, kRows, kDims);
    const Statistics sa = statistics(a, pool), sb = statistics(b, pool);
    const InfluenceVariance v = influence_variance(&a, sa, &b, sb, pool);
    const FrechetAtInfinity f = frechet_at_infinity(a, sb, draw, pool, v);
    values.push_back(f.value);
    predicted += f.standard_error / kDraws;
    of_scatter += frechet_at_infinity(a, sb, draw, pool).standard_error / kDraws;
  }
  EXPECT_NEAR(predicted / deviation(values), 1, 0.18);
  EXPECT_LT(of_scatter, 0.6 * predicted);
}

}  // namespace
}  // namespace ddpm
