#include "ddpm/metrics/fid.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "ddpm/base/error.h"
#include "ddpm/metrics/formula_for_test.h"

namespace ddpm {
namespace {

FrechetDistance distance(const Features& a, const Features& b, int threads = 2) {
  ThreadPool pool(threads);
  return frechet_distance(statistics(a, pool), statistics(b, pool), pool);
}

// Numbers of torch-fidelity and pytorch-fid on the same features, and of an exact float64
// computation. The terms are sums of some 5000 products below 4, so rounding is near 1e-13.
TEST(Fid, IsThatOfTheReferencesOnFullRank) {
  const FrechetDistance d = distance(x1(), x2());
  EXPECT_NEAR(d.value(), 0.9022449904143244, 1e-12);
  EXPECT_NEAR(d.mean_term, 0.24018498180136072, 1e-13);
  EXPECT_NEAR(d.traces, 6.722545843099645 + 10.620406447133444, 1e-12);
  EXPECT_NEAR(d.root_trace, 8.340446140810062, 1e-12);
  EXPECT_EQ(d.rank, 16);
  EXPECT_EQ(d.doubt, 0);
}

// torch-fidelity's own answer. Its difference . difference is summed by a BLAS in float32: two
// units in the last place of 0.24 are 3e-8.
TEST(Fid, WithAFloat32MeanIsTorchFidelitys) {
  const FrechetDistance d = distance(x1(), x2());
  const double mean_term = float32_mean_term(float32_mean(x1()), float32_mean(x2()));
  EXPECT_NEAR(mean_term + d.traces - 2 * d.root_trace, 0.9022449564612991, 3e-8);
  EXPECT_NE(mean_term, d.mean_term);
}

struct LowRank {
  int d, n1, n2;
};

class LowRankFid : public testing::TestWithParam<LowRank> {};

// Against the nuclear norm of the centred features. Pivoting leaves a residual of d * 2^-52 of the
// largest variance (about 1 here), whose root, 1e-7, could enter only where a kept direction is
// nearly lost; the kept ones here are not. 1e-9 is 1e4 times better than the references' noise.
TEST_P(LowRankFid, IsExactWhenThereAreFewerImagesThanFeatures) {
  const auto [d, n1, n2] = GetParam();
  const double golden = golden_scores(fmt::format("fid_{}_{}_{}", d, n1, n2))[0];
  const FrechetDistance result =
      distance(formula_features(201, n1, d, 1, 0.25f), formula_features(202, n2, d, 1.25f, 0.125f));
  EXPECT_NEAR(result.value(), golden, 1e-9);
  EXPECT_EQ(result.rank, std::min({d, n1 - 1, n2 - 1}));
  EXPECT_EQ(result.doubt > 0, std::min(n1, n2) <= d);
  EXPECT_LT(result.doubt, 1e-4);  // 2 * 64 * sqrt(2e-16 * about 10)
}

INSTANTIATE_TEST_SUITE_P(Sizes, LowRankFid,
                         testing::Values(LowRank{40, 25, 30}, LowRank{40, 30, 25},
                                         LowRank{40, 300, 25}, LowRank{64, 64, 64},
                                         LowRank{64, 65, 65}, LowRank{5, 2, 2}, LowRank{1, 50, 40},
                                         LowRank{33, 400, 201}));

TEST(Fid, OfASetWithItselfIsZeroAndSymmetricBitForBit) {
  for (const int n : {10, 300}) {
    const Features a = formula_features(1, n, 16, 1, 0), b = formula_features(2, n + 7, 16, 2, 1);
    EXPECT_EQ(distance(a, a).value(), 0);
    EXPECT_EQ(distance(a, b).value(), distance(b, a).value()) << n;
  }
}

// Equal covariances are told by their bits; these are not, and go the whole way.
TEST(Fid, OfASetWithNearlyItselfIsNearlyZero) {
  const Features a = formula_features(1, 300, 16, 1, 0);
  std::vector<double> moved;
  for (int i = 0; i < a.rows(); ++i) {
    for (int j = 0; j < a.dims(); ++j) moved.push_back(a.at(i, j) * (1 + 1e-12 * (i % 3)));
  }
  // Variances of about 1 are known to 1e-12, so their roots' sum to 16 times that.
  EXPECT_NEAR(distance(a, Features(16, moved)).value(), 0, 1e-10);
}

// pytorch-fid's own unit test.
TEST(Fid, OfUnitCovariancesOneApartIsTheDimension) {
  constexpr int kDims = 64;
  Statistics a{std::vector<double>(kDims, 0), Matrix(kDims, kDims), 1000};
  for (int i = 0; i < kDims; ++i) a.covariance.at(i, i) = 1;
  Statistics b = a;
  b.mean.assign(kDims, 1);
  ThreadPool pool(1);
  EXPECT_EQ(frechet_distance(a, b, pool).value(), kDims);
  for (int i = 0; i < kDims; ++i) b.covariance.at(i, i) = 4;  // (1 - 2)^2 each
  EXPECT_NEAR(frechet_distance(a, b, pool).value(), 2 * kDims, 1e-12);
}

TEST(Fid, WithAFactorAtHandIsTheSame) {
  ThreadPool pool(1);
  for (const int n : {12, 300}) {  // either set may be the one of lower rank
    const Statistics a = statistics(formula_features(1, n, 16, 1, 0), pool);
    const Statistics b = statistics(formula_features(2, 40, 16, 2, 1), pool);
    const Factor of_b = factor(b.covariance, "b", pool);
    EXPECT_EQ(frechet_distance(a, b, of_b, pool).value(), frechet_distance(a, b, pool).value());
  }
}

TEST(Fid, DoesNotDependOnOrderShardsOrThreads) {
  const Features a = formula_features(5, 700, 48, 1, 0.25f), b = formula_features(6, 650, 48, 1, 0);
  std::vector<int> shuffled(700);
  std::iota(shuffled.begin(), shuffled.end(), 0);
  std::reverse(shuffled.begin() + 100, shuffled.end());
  std::vector<Features> shards;
  for (int i = 0; i < 3; ++i) {
    const ShardRange range = shard_range(700, i, 3);
    shards.push_back(a.slice(static_cast<int>(range.first), static_cast<int>(range.last)));
  }
  const double expected = distance(a, b, 1).value();
  EXPECT_EQ(distance(a, b, 3).value(), expected);
  EXPECT_EQ(distance(a.select(shuffled), b).value(), expected);
  EXPECT_EQ(distance(concatenate(shards), b).value(), expected);
  EXPECT_EQ(distance(widened(a), b).value(), expected);
}

TEST(Fid, RefusesWhatIsNoCovariance) {
  ThreadPool pool(1);
  const Statistics good = statistics(x1(), pool);
  Statistics bad = good;
  bad.covariance.at(2, 3) = bad.covariance.at(3, 2) = 9;  // beyond what the variances allow
  try {
    frechet_distance(good, bad, pool);
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), testing::HasSubstr("negative eigenvalues"));
    EXPECT_EQ(error.code(), ExitCode::bad_input);
  }
  Statistics other = statistics(formula_features(1, 20, 5, 1, 0), pool);
  EXPECT_THROW(frechet_distance(good, other, pool), Error);
}

// A covariance that went through float32: its zero eigenvalues are noise of 1e-7, its distance is
// off by the root of that a dimension at the most.
TEST(Fid, ReadsASingularCovarianceRoundedToFloat32) {
  ThreadPool pool(1);
  const Features a = formula_features(201, 25, 40, 1, 0.25f);
  const Features b = formula_features(202, 30, 40, 1.25f, 0.125f);
  Statistics rounded = statistics(a, pool);
  for (double& v : rounded.covariance.values) v = static_cast<float>(v);
  const double value = frechet_distance(rounded, statistics(b, pool), pool).value();
  EXPECT_NEAR(value, golden_scores("fid_40_25_30")[0], 40 * std::sqrt(6e-8));
}

}  // namespace
}  // namespace ddpm
