#include "ddpm/train/evaluate.h"

#include <gtest/gtest.h>

#include <set>

#include "ddpm/train/fake_learner.h"
#include "ddpm/train/samples.h"

namespace ddpm {
namespace {

constexpr Shape kShape{1, 4, 4};

TEST(EvaluationTime, SpreadsOverOneToT) {
  constexpr int kCount = 100, kT = 1000;
  for (int i = 0; i < kCount; ++i) {
    const int t = evaluation_time(i, kCount, kT);
    EXPECT_TRUE(t >= 1 + 10 * i && t <= 10 * (i + 1)) << i << ": " << t;
  }
  for (int i = 0; i < 50; ++i) {
    const int t = evaluation_time(i, 50, 3);
    EXPECT_TRUE(t >= 1 && t <= 3) << t;
  }
}

TEST(HeldOutLoss, IsTheSameForEveryBatchSize) {
  const FakeData data(kShape, 30);
  const Schedule schedule = Schedule::linear();
  Params params(fake_specs(1));
  params.tensor("gain.weight")[0] = 0.5F;
  std::set<double> losses;
  for (const int batch : {1, 3, 16, 64}) {
    FakeDenoiser denoiser(kShape, params, batch);
    losses.insert(*held_out_loss(data, 20, schedule, Prediction::eps, denoiser));
  }
  EXPECT_EQ(losses.size(), 1U);
}

// Zero output: the mean of squared normals. All 30 images are used when more are asked for.
TEST(HeldOutLoss, OfAZeroNetworkIsOne) {
  const FakeData data(kShape, 30);
  const Schedule schedule = Schedule::linear();
  FakeDenoiser denoiser(kShape, Params(fake_specs(1)), 16);
  const double loss = *held_out_loss(data, 1000, schedule, Prediction::eps, denoiser);
  EXPECT_NEAR(loss, 1, 5 * std::sqrt(2.0 / (30 * 16)));  // five standard deviations of the mean
  EXPECT_EQ(loss, *held_out_loss(data, 30, schedule, Prediction::eps, denoiser));
}

TEST(HeldOutLoss, StopsWhenAsked) {
  const FakeData data(kShape, 30);
  FakeDenoiser denoiser(kShape, Params(fake_specs(1)), 4);
  int asked = 0;
  EXPECT_FALSE(held_out_loss(data, 30, Schedule::linear(), Prediction::eps, denoiser,
                             [&] { return ++asked == 3; }));
  EXPECT_EQ(asked, 3);
}

}  // namespace
}  // namespace ddpm
