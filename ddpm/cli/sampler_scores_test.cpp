#include "ddpm/cli/sampler_scores.h"

#include <gtest/gtest.h>

namespace ddpm::cli {
namespace {

std::vector<SamplerScore> rows() {
  return {{.sampler = "ddim",
           .plan = "ddim:5",
           .calls = 5,
           .seconds = 0.25,
           .distance = 12.5,
           .standard_error = 0.5},
          {.sampler = "ddim", .plan = "ddim:10", .calls = 10, .seconds = 0.5, .distance = 7},
          {.sampler = "dpmpp,order=3",
           .plan = "dpmpp:5,order=3",
           .calls = 5,
           .seconds = 0.25,
           .distance = 9,
           .standard_error = 9.5}};
}

SamplerStudy study() {
  return {.model = "clothes", .data = "clothes:test", .score = "FD in classifier:c", .count = 100};
}

TEST(SamplerScores, CsvQuotesWordsAndLeavesOutWhatWasNotMeasured) {
  EXPECT_EQ(sampler_csv(rows()),
            "sampler,plan,calls,seconds_per_image,distance,distance_se\n"
            "\"ddim\",\"ddim:5\",5,0.25,12.5,0.5\n"
            "\"ddim\",\"ddim:10\",10,0.5,7,\n"
            "\"dpmpp,order=3\",\"dpmpp:5,order=3\",5,0.25,9,9.5\n");
}

TEST(SamplerScores, ALineNamesTheScoreWhereThereIsOne) {
  EXPECT_EQ(sampler_line(rows()[0], study()),
            "ddim:5: 5 calls, 0.25 s an image, FD in classifier:c 12.5 +- 0.5");
  EXPECT_EQ(sampler_line({.plan = "ddim:1", .calls = 1, .seconds = 0.5}, {}),
            "ddim:1: 1 call, 0.5 s an image");
}

TEST(SamplerScores, TheTablesColumnsStandBelowEachOther) {
  testing::internal::CaptureStdout();
  print_sampler_table(rows(), study());
  EXPECT_EQ(testing::internal::GetCapturedStdout(),
            "plan             calls  s an image  FD in classifier:c\n"
            "ddim:5               5        0.25  12.5 +- 0.5\n"
            "ddim:10             10         0.5  7\n"
            "dpmpp:5,order=3      5        0.25  9 +- 9.5\n");
}

TEST(SamplerScores, ThePictureHasTheScoreAboveTheTimeOrTheTimeAlone) {
  const Image both = sampler_picture(rows(), study());
  SamplerStudy timed = study();
  timed.score = timed.data = "";
  const Image alone = sampler_picture(rows(), timed);
  EXPECT_EQ(both.width, alone.width);
  EXPECT_EQ(both.height, 2 * alone.height);
}

// A distance is 0, or less by rounding, where a set is compared with itself.
TEST(SamplerScores, DistancesOfZeroAreDrawnOnALinearAxis) {
  std::vector<SamplerScore> all = rows();
  all[1].distance = -1e-9;
  EXPECT_NE(sampler_picture(all, study()).pixels, sampler_picture(rows(), study()).pixels);
}

}  // namespace
}  // namespace ddpm::cli
