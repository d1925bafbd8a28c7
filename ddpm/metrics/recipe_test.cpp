// Every switch of every program, as the programs' sources have it.
#include "ddpm/metrics/recipe.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ddpm/base/error.h"

namespace ddpm {
namespace {

using testing::HasSubstr;
using testing::Not;

// Scores: FID-infinity, sFID, IS, KID, P&R, D&C.
std::string scores(const Recipe& r) {
  std::string on;
  if (r.infinity) on += "inf ";
  if (r.spatial) on += "sfid ";
  if (r.inception_score) on += "is ";
  if (r.kid) on += "kid ";
  if (r.precision_recall) on += "pr ";
  if (r.density_coverage) on += "dc ";
  return on;
}

void expect_is(const InceptionScoreOptions& o, Splitting splitting, int splits, bool shuffled,
               bool float32) {
  EXPECT_EQ(o.splitting, splitting);
  EXPECT_EQ(o.splits, splits);
  EXPECT_EQ(o.shuffle, shuffled ? std::optional<std::uint32_t>(2020) : std::nullopt);
  EXPECT_EQ(o.float32, float32);
}

void expect_kid(const KidOptions& o, int subsets, int size, bool shrink, bool float32,
                bool reference_first) {
  EXPECT_EQ(o.sampling, KidSampling::numpy_subsets);
  EXPECT_EQ(o.subsets, subsets);
  EXPECT_EQ(o.subset_size, size);
  EXPECT_EQ(o.shrink, shrink);
  EXPECT_EQ(o.float32, float32);
  EXPECT_EQ(o.reference_first, reference_first);
  EXPECT_EQ(o.seed, 2020U);
}

void expect_neighbours(const NeighbourOptions& o, int k, bool strict, DistanceType type) {
  EXPECT_EQ(o.k, k);
  EXPECT_EQ(o.strict, strict);
  EXPECT_EQ(o.type, type);
}

void expect_input(const Recipe& r, InputPipeline pipeline, Alpha alpha, bool float32_mean) {
  EXPECT_EQ(r.pipeline, pipeline) << r.name;
  EXPECT_EQ(r.alpha, alpha) << r.name;
  EXPECT_EQ(r.float32_mean, float32_mean) << r.name;
}

TEST(Recipe, OursIsEverythingInDouble) {
  const Recipe r = recipe_like("ddpm");
  EXPECT_EQ(scores(r), "inf sfid is kid pr dc ");
  expect_input(r, InputPipeline::torch_fidelity, Alpha::refuse, false);
  expect_is(r.is, Splitting::even, 10, true, false);
  expect_kid(r.subsets, 100, 1000, true, false, false);
  expect_neighbours(r.neighbours, 3, false, DistanceType::float64);
  expect_neighbours(r.dense, 5, true, DistanceType::float64);
}

TEST(Recipe, TorchFidelitys) {
  const Recipe r = recipe_like("torch-fidelity");
  EXPECT_EQ(scores(r), "is kid pr ");
  expect_input(r, InputPipeline::torch_fidelity, Alpha::drop, true);
  expect_is(r.is, Splitting::even, 10, true, false);
  expect_kid(r.subsets, 100, 1000, false, true, false);
  expect_neighbours(r.neighbours, 3, false, DistanceType::float32);
}

TEST(Recipe, PytorchFids) {
  const Recipe r = recipe_like("pytorch-fid");
  EXPECT_EQ(scores(r), "");
  expect_input(r, InputPipeline::pytorch_fid, Alpha::drop, false);
}

TEST(Recipe, CleanFids) {
  const Recipe r = recipe_like("clean-fid");
  EXPECT_EQ(scores(r), "kid ");
  expect_input(r, InputPipeline::clean_fid, Alpha::drop, true);
  expect_kid(r.subsets, 100, 1000, true, true, true);
}

TEST(Recipe, GuidedDiffusions) {
  const Recipe r = recipe_like("guided-diffusion");
  EXPECT_EQ(scores(r), "sfid is pr ");
  expect_input(r, InputPipeline::torch_fidelity, Alpha::drop, true);
  expect_is(r.is, Splitting::rows, 5000, false, true);
  expect_neighbours(r.neighbours, 3, false, DistanceType::float16);
}

TEST(Recipe, Tfgans) {
  const Recipe r = recipe_like("tfgan");
  EXPECT_EQ(scores(r), "is kid ");
  expect_input(r, InputPipeline::ddpm, Alpha::drop, false);
  expect_is(r.is, Splitting::even, 1, false, false);
  EXPECT_EQ(r.subsets.sampling, KidSampling::blocks);
  EXPECT_EQ(r.subsets.subset_size, 1024);
}

TEST(Recipe, HasTheInceptionScoreOfEveryProgram) {
  expect_is(inception_score_like("torch-fidelity"), Splitting::even, 10, true, false);
  expect_is(inception_score_like("openai"), Splitting::even, 10, false, true);
  expect_is(inception_score_like("dgm-eval"), Splitting::drop_remainder, 10, true, false);
  expect_is(inception_score_like("guided-diffusion"), Splitting::rows, 5000, false, true);
  expect_is(inception_score_like("tfgan"), Splitting::even, 1, false, false);
  EXPECT_THROW(inception_score_like("ttur"), Error);
}

TEST(Recipe, SaysEverySwitchOfWhatIsOn) {
  Recipe r = recipe_like("ddpm");
  r.seed = 7;
  EXPECT_THAT(describe(r), HasSubstr("line in 1/N, seed 7)"));
  EXPECT_THAT(describe(r), HasSubstr("sFID"));
  for (const char* off : {"infinity", "sFID", "IS(", "KID(", "P&R(", "D&C("}) {
    EXPECT_THAT(describe(distance_alone()), Not(HasSubstr(off)));
  }
}

}  // namespace
}  // namespace ddpm
