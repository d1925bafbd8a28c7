// Inception Score, KID and nearest neighbours against NumPy (tests/golden/metrics) and the
// reference programs.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <numeric>

#include "ddpm/base/error.h"
#include "ddpm/base/philox.h"
#include "ddpm/metrics/formula_for_test.h"
#include "ddpm/metrics/inception_score.h"
#include "ddpm/metrics/kid.h"
#include "ddpm/metrics/neighbours.h"

namespace ddpm {
namespace {

// Sums of a few hundred terms near 1 in double: rounding below 1e-13.
constexpr double kTol = 1e-12;

TEST(Formula, MakesTheFeaturesOfTheReferences) {
  EXPECT_EQ(formula_hash(0, 0), 0U);
  EXPECT_EQ(formula_hash(0, 1), 33350994U);
  EXPECT_EQ(formula_hash(1, 0), 1753845952U);
  EXPECT_EQ(formula_hash(0xDEADBEEF, 12345), 1430493403U);
  EXPECT_EQ(formula_seed("Conv2d_1a_3x3.conv.weight"), 4170468573U);
  EXPECT_EQ(formula_seed("fc.bias"), 915095429U);
  EXPECT_EQ(formula_unit(7, 3), 0.060545265674591064F);
  EXPECT_EQ(formula_value(7, 3), -0.8789094686508179F);
  EXPECT_FLOAT_EQ(static_cast<float>(x1().at(0, 0)), -0.10650283f);
  EXPECT_FLOAT_EQ(static_cast<float>(x2().at(199, 15)), 0.3443639278411865f);
  const auto bits_sum = [](const Features& f) {
    std::uint64_t sum = 0;
    for (int i = 0; i < f.rows(); ++i) {
      for (int j = 0; j < f.dims(); ++j) {
        sum += std::bit_cast<std::uint32_t>(static_cast<float>(f.at(i, j)));
      }
    }
    return sum;
  };
  EXPECT_EQ(bits_sum(x1()), 0x0000081ec1a3de0aU);
  EXPECT_EQ(bits_sum(x2()), 0x000005d20decb2bcU);
  EXPECT_EQ(bits_sum(formula_logits()), 0x000003df9fd48fceU);
}

void expect_score(const std::string& golden, const InceptionScoreOptions& options) {
  const InceptionScore score = inception_score(formula_logits(), options);
  const auto expected = golden_scores(golden);
  EXPECT_NEAR(score.mean, expected[0], kTol) << golden;
  EXPECT_NEAR(score.deviation.value_or(0), expected[1], kTol) << golden;
}

TEST(InceptionScore, IsNumPysForEverySplitting) {
  expect_score("is_shuffled_10", {});
  expect_score("is_shuffled_7", {.splits = 7});
  expect_score("is_plain_10", {.shuffle = {}});
  expect_score("is_one", {.splits = 1, .shuffle = {}});
  expect_score("is_dropped_7", {.splitting = Splitting::drop_remainder, .splits = 7});
  expect_score("is_rows_64", {.splitting = Splitting::rows, .splits = 64, .shuffle = {}});
}

TEST(InceptionScore, IsTorchFidelitys) {
  const InceptionScore score = inception_score(formula_logits(), {});
  EXPECT_NEAR(score.mean, 2.47983553087757, kTol);
  EXPECT_NEAR(score.deviation.value_or(0), 0.12710162191093427, kTol);
  const double parts[] = {2.702037341271115, 2.368369519789811, 2.3179666753546337};
  for (int i = 0; i < 3; ++i) EXPECT_NEAR(score.parts[i], parts[i], kTol);
}

TEST(InceptionScore, InFloat32DiffersByItsRoundingAndCountsUnderflows) {
  const InceptionScore wide = inception_score(formula_logits(), {});
  const InceptionScore narrow = inception_score(formula_logits(), {.float32 = true});
  EXPECT_NE(narrow.mean, wide.mean);
  EXPECT_NEAR(narrow.mean, wide.mean, 1e-6);  // probabilities are off by 6e-8 of themselves
  EXPECT_EQ(narrow.underflows, 0);
  const Features sharp(2, std::vector<float>{200, 0, 0, 200, 0, 200, 200, 0});
  const InceptionScore clear = inception_score(sharp, {.splits = 1, .float32 = true});
  EXPECT_EQ(clear.underflows, 4);
  EXPECT_NEAR(clear.mean, 2, kTol);  // two sure classes, equally often
}

// All images alike say nothing, and a set's standard error is that of exp(mean divergence).
TEST(InceptionScore, IsOneForOneClassAndHasTheStandardErrorOfItsMean) {
  const Features same(3, std::vector<float>{1, 2, 3, 1, 2, 3, 1, 2, 3});
  const InceptionScore one = inception_score(same, {.splits = 1});
  EXPECT_NEAR(one.mean, 1, kTol);
  EXPECT_NEAR(one.standard_error, 0, 1e-7);  // a root of rounding
  const double error = inception_score(formula_logits(), {.splits = 1}).standard_error;
  EXPECT_GT(error, 0.03);  // divergences spread by about 0.25, 200 images, score 2.6
  EXPECT_LT(error, 0.06);
}

TEST(InceptionScore, SaysThatThereAreTooFewImages) {
  try {
    inception_score(formula_logits().slice(0, 9), {});
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), testing::HasSubstr("N is too small; try --splits 9"));
  }
}

void expect_kid(const std::string& golden, const KidOptions& options, bool deviation = true) {
  ThreadPool pool(2);
  const Kid kid = kernel_distance(x1(), x2(), options, pool);
  const auto expected = golden_scores(golden);
  EXPECT_NEAR(kid.mean, expected[0], kTol) << golden;
  if (deviation) {
    EXPECT_NEAR(kid.deviation, expected[1], kTol) << golden;
  }
}

TEST(Kid, IsNumPysForEverySampling) {
  expect_kid("kid_10x100", {.subsets = 10, .subset_size = 100});
  expect_kid("kid_7x33", {.subsets = 7, .subset_size = 33});
  expect_kid("kid_5x200", {.subsets = 5, .subset_size = 1000});
  expect_kid("kid_reference_first", {.subsets = 6, .subset_size = 50, .reference_first = true});
  expect_kid("kid_blocks_64", {.sampling = KidSampling::blocks, .subset_size = 64}, false);
  expect_kid("kid_one_block", {.sampling = KidSampling::blocks, .subset_size = 1024}, false);
}

TEST(Kid, IsTorchFidelitys) {
  ThreadPool pool(2);
  const KidOptions options{.subsets = 10, .subset_size = 100};
  const Kid kid = kernel_distance(x1(), x2(), options, pool);
  const double firsts[] = {0.00833798772151173, 0.04760227038213616, 0.03567021393800873};
  for (int i = 0; i < 3; ++i) EXPECT_NEAR(kid.subsets[i], firsts[i], kTol);
  EXPECT_NEAR(kid.deviation, 0.01870635034891628, 1e-6);
  // Its float32 kernel has a mean near 1: 1e-6 of that.
  EXPECT_NEAR(kid.mean, 0.04519798354640159, 1e-6);
  EXPECT_NEAR(kernel_distance(x2(), x1(), options, pool).mean, 0.0460768179002045, 1e-6);
  EXPECT_NE(
      kernel_distance(x1(), x2(), {.subsets = 10, .subset_size = 100, .seed = 2021}, pool).mean,
      kid.mean);
}

// A product of d terms in float32 is off by some sqrt(d) 2^-24, and mean kernels, of 10^4 pairs, by
// far less: within 1e-6 of a mean kernel near 1, as torch-fidelity's own float32 is.
TEST(Kid, OfFloat32ProductsIsNearTheDoubleOnes) {
  ThreadPool pool(2);
  KidOptions options{.subsets = 10, .subset_size = 100};
  const Kid exact = kernel_distance(x1(), x2(), options, pool);
  options.float32 = true;
  const Kid kid = kernel_distance(x1(), x2(), options, pool);
  EXPECT_NE(kid.mean, exact.mean);
  for (std::size_t s = 0; s < kid.subsets.size(); ++s) {
    EXPECT_NEAR(kid.subsets[s], exact.subsets[s], 1e-6);
  }
  EXPECT_NEAR(kid.mean, 0.04519798354640159, 1e-6);
  EXPECT_NEAR(kid.standard_error, exact.standard_error, 1e-6);
}

// Sets of a normal distribution and of one shifted by `shift` along one axis.
Kid kid_of_draw(int draw, int rows, float shift, const KidOptions& options) {
  constexpr int kDims = 4;
  ThreadPool pool(1);
  std::vector<float> x(rows * kDims), y(rows * kDims);
  fill_normal({.seed = 1, .image = static_cast<std::uint64_t>(draw)}, x);
  fill_normal({.seed = 2, .image = static_cast<std::uint64_t>(draw)}, y);
  for (std::size_t i = 0; i < y.size(); i += kDims) y[i] += shift;
  return kernel_distance({kDims, x}, {kDims, y}, options, pool);
}

struct Spread {
  double seen = 0, predicted = 0;
};

Spread spread_of(int rows, float shift, const KidOptions& options) {
  constexpr int kDraws = 200;
  std::vector<double> means;
  Spread s;
  for (int draw = 0; draw < kDraws; ++draw) {
    const Kid kid = kid_of_draw(draw, rows, shift, options);
    means.push_back(kid.mean);
    s.predicted += kid.standard_error / kDraws;
  }
  const double mean = std::accumulate(means.begin(), means.end(), 0.0) / kDraws;
  for (const double m : means) s.seen += (m - mean) * (m - mean) / (kDraws - 1);
  s.seen = std::sqrt(s.seen);
  return s;
}

// 200 draws tell a spread to 5 %: three times that. Subsets that overlap, one that is the whole
// set (whose deviation over "subsets" is 0), and several that are.
TEST(Kid, HasTheSpreadOverNewSetsAsItsError) {
  for (const KidOptions& options :
       {KidOptions{.subsets = 20, .subset_size = 50}, KidOptions{.subsets = 1, .subset_size = 50},
        KidOptions{.subsets = 3, .subset_size = 1000},
        KidOptions{.sampling = KidSampling::blocks, .subset_size = 1000}}) {
    const Spread s = spread_of(150, 1.5f, options);
    EXPECT_NEAR(s.predicted / s.seen, 1, 0.15) << options.subsets << " x " << options.subset_size;
  }
}

// Where nothing tells the sets apart the first order vanishes, and what is estimated of it is the
// noise of the estimate, twice its variance at the most.
TEST(Kid, HasNoTooSmallErrorForSetsOfOneDistribution) {
  const Spread s = spread_of(150, 0, {.subsets = 1, .subset_size = 1000});
  EXPECT_GT(s.predicted / s.seen, 0.85);
  EXPECT_LT(s.predicted / s.seen, std::sqrt(2) * 1.15);
}

TEST(Kid, OfSeveralBlocksHasTfgansError) {
  ThreadPool pool(1);
  const auto blocks = golden_scores("kid_blocks_64");
  const KidOptions tfgan{.sampling = KidSampling::blocks, .subset_size = 64};
  EXPECT_NEAR(kernel_distance(x1(), x2(), tfgan, pool).standard_error, blocks[1], kTol);
}

// Many subsets share the kernels of all pairs; few are computed each for itself.
TEST(Kid, SharedKernelsGiveTheSameSubsets) {
  ThreadPool pool(2);
  const Kid few = kernel_distance(x1(), x2(), {.subsets = 2, .subset_size = 60}, pool);
  const Kid many = kernel_distance(x1(), x2(), {.subsets = 40, .subset_size = 60}, pool);
  for (std::size_t s = 0; s < few.subsets.size(); ++s) {
    EXPECT_NEAR(few.subsets[s], many.subsets[s], 1e-12);
  }
}

TEST(Kid, DoesNotDependOnThreads) {
  ThreadPool one(1), three(3);
  const KidOptions options{.subsets = 3, .subset_size = 200};
  const Kid a = kernel_distance(x1(), x2(), options, one);
  const Kid b = kernel_distance(x1(), x2(), options, three);
  EXPECT_EQ(a.mean, b.mean);
  EXPECT_EQ(a.standard_error, b.standard_error);
}

TEST(Kid, RefusesSubsetsLargerThanASet) {
  ThreadPool pool(1);
  try {
    kernel_distance(x1(), x2(), {.subset_size = 201, .shrink = false}, pool);
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), testing::HasSubstr("N is too small; try --kid-subset-size 200"));
  }
  EXPECT_THROW(kernel_distance(x1(), formula_features(1, 9, 8, 1, 0), {}, pool), Error);
}

void expect_neighbours(const std::string& golden, const NeighbourOptions& options) {
  ThreadPool pool(2);
  const NeighbourScores s = neighbour_scores(x1(), x2(), options, pool);
  const auto expected = golden_scores(golden);
  // Counts agree exactly: the closest margin is 8e-5 at k = 3, rounding is 1e-15.
  EXPECT_NEAR(s.precision.value, expected[0], kTol) << golden;
  EXPECT_NEAR(s.recall.value, expected[1], kTol) << golden;
  EXPECT_NEAR(s.density.value, expected[2], kTol) << golden;
  EXPECT_NEAR(s.coverage.value, expected[3], kTol) << golden;
}

TEST(Neighbours, AreNumPysForEveryK) {
  for (const int k : {1, 3, 5, 20}) {
    expect_neighbours(fmt::format("prdc_{}", k), {.k = k});
    expect_neighbours(fmt::format("prdc_strict_{}", k), {.k = k, .strict = true});
  }
}

TEST(Neighbours, HaveTheReferencesRadii) {
  ThreadPool pool(2);
  const NeighbourScores s = neighbour_scores(x1(), x2(), {}, pool);
  const double generated[] = {2.673589193361356, 2.3955152094287624, 2.1038447115299896,
                              2.434033657266424};
  const double reference[] = {2.5321566902778185, 3.031610984248356, 2.960259042389329,
                              2.731364042548913};
  for (int i = 0; i < 4; ++i) {
    EXPECT_NEAR(s.generated_radii[i], generated[i], kTol);
    EXPECT_NEAR(s.reference_radii[i], reference[i], kTol);
  }
}

TEST(Neighbours, InFloat32AreTorchFidelitys) {
  ThreadPool pool(2);
  const NeighbourScores s = neighbour_scores(x1(), x2(), {.type = DistanceType::float32}, pool);
  EXPECT_FLOAT_EQ(static_cast<float>(s.precision.value), 0.9833333492279053f);
  EXPECT_FLOAT_EQ(static_cast<float>(s.recall.value), 0.4099999964237213f);
}

// torch.cdist computes in the type of its arguments.
TEST(Neighbours, OfDoublesAreInDouble) {
  ThreadPool pool(1);
  const Features g = widened(x1()), r = widened(x2());
  const NeighbourScores single = neighbour_scores(g, r, {.type = DistanceType::float32}, pool);
  EXPECT_EQ(single.generated_radii, neighbour_scores(g, r, {}, pool).generated_radii);
}

// (u - 2 p) + v with every step rounded, as docs/metrics.md has it: not the same from both ends.
// More points than a tile has.
TEST(Neighbours, InFloat32RoundEveryStepFromEachEnd) {
  ThreadPool pool(2);
  const Features f = formula_features(9, 250, 12, 1, 0.5f);
  const NeighbourScores s = neighbour_scores(f, f, {.k = 2, .type = DistanceType::float32}, pool);
  const auto product = [&](int i, int j) {
    float sum = 0;
    for (int c = 0; c < 12; ++c) {
      sum = std::fma(static_cast<float>(f.at(i, c)), static_cast<float>(f.at(j, c)), sum);
    }
    return sum;
  };
  for (int i = 0; i < f.rows(); ++i) {
    std::vector<float> squares;
    for (int j = 0; j < f.rows(); ++j) {
      const float left = product(i, i) - 2 * product(i, j);
      squares.push_back(std::max(left + product(j, j), 0.0f));
    }
    std::sort(squares.begin(), squares.end());
    EXPECT_EQ(s.generated_radii[i], std::sqrt(double{squares[2]})) << i;
  }
}

TEST(Neighbours, OfSeveralOptionsAreThoseOfEach) {
  ThreadPool pool(3);
  const Features a = formula_features(1, 400, 7, 1, 0), b = formula_features(2, 250, 7, 1, 0.1f);
  const std::vector<NeighbourOptions> options{{.k = 3}, {.k = 5, .strict = true}, {.k = 1}};
  const auto together = all_neighbour_scores(a, b, options, pool);
  ASSERT_EQ(together.size(), 3U);
  for (std::size_t i = 0; i < options.size(); ++i) {
    const NeighbourScores alone = neighbour_scores(a, b, options[i], pool);
    EXPECT_EQ(together[i].generated_radii, alone.generated_radii) << i;
    EXPECT_EQ(together[i].reference_radii, alone.reference_radii) << i;
    EXPECT_EQ(together[i].precision.value, alone.precision.value) << i;
    EXPECT_EQ(together[i].recall.value, alone.recall.value) << i;
    EXPECT_EQ(together[i].density.value, alone.density.value) << i;
    EXPECT_EQ(together[i].coverage.value, alone.coverage.value) << i;
  }
  const std::vector<NeighbourOptions> mixed{{}, {.type = DistanceType::float32}};
  EXPECT_THROW(all_neighbour_scores(a, b, mixed, pool), BugError);
}

// Distances near 7 have steps of 1/128 in float16: counts differ. Squares beyond 65504 are not
// finite, and then float32 decides.
TEST(Neighbours, InFloat16RoundAndFallBackToFloat32) {
  ThreadPool pool(2);
  const NeighbourOptions half{.type = DistanceType::float16}, single{.type = DistanceType::float32};
  const NeighbourScores rounded = neighbour_scores(x1(), x2(), half, pool);
  for (const double r : rounded.generated_radii) {
    EXPECT_NEAR(std::remainder(r * r, 0x1p-9), 0, 1e-14);  // at least 1: steps of 2^-10 .. 2^-7
  }
  const Features a = formula_features(1, 60, 16, 300, 0), b = formula_features(2, 50, 16, 300, 0);
  EXPECT_EQ(neighbour_scores(a, b, half, pool).generated_radii,
            neighbour_scores(a, b, single, pool).generated_radii);
}

TEST(Neighbours, DoNotDependOnOrderOrThreads) {
  ThreadPool one(1), three(3);
  const Features a = formula_features(1, 500, 7, 1, 0), b = formula_features(2, 410, 7, 1, 0.1f);
  std::vector<int> reversed(500);
  std::iota(reversed.rbegin(), reversed.rend(), 0);
  const NeighbourScores s = neighbour_scores(a, b, {}, one);
  const NeighbourScores t = neighbour_scores(a.select(reversed), b, {}, three);
  EXPECT_EQ(s.precision.value, t.precision.value);
  EXPECT_EQ(s.recall.value, t.recall.value);
  EXPECT_EQ(s.density.value, t.density.value);
  EXPECT_EQ(s.coverage.value, t.coverage.value);
  EXPECT_EQ(s.reference_radii, t.reference_radii);
}

// Copies of a point are at distance 0, exactly; themselves are one of the k + 1 nearest.
TEST(Neighbours, TakeDuplicatesAtDistanceZero) {
  ThreadPool pool(1);
  std::vector<int> twice;
  for (int i = 0; i < 100; ++i) twice.insert(twice.end(), {i, i});
  const Features doubled = x1().select(twice);
  const NeighbourScores s = neighbour_scores(doubled, doubled, {.k = 1}, pool);
  for (const double r : s.generated_radii) EXPECT_EQ(r, 0);
  EXPECT_EQ(s.precision.value, 1);
  EXPECT_EQ(s.coverage.value, 1);
  EXPECT_EQ(neighbour_scores(doubled, doubled, {.k = 1, .strict = true}, pool).precision.value, 0);
}

TEST(Neighbours, HaveTheStandardErrorOfAShare) {
  ThreadPool pool(1);
  const NeighbourScores s = neighbour_scores(x1(), x2(), {}, pool);
  EXPECT_NEAR(s.recall.standard_error, std::sqrt(0.41 * 0.59 / 200), kTol);
}

TEST(Neighbours, SayThatThereAreTooFewImages) {
  ThreadPool pool(1);
  try {
    neighbour_scores(x1().slice(0, 3), x2(), {}, pool);
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), testing::HasSubstr("N is too small; try --k 2"));
  }
}

}  // namespace
}  // namespace ddpm
