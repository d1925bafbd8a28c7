#include "ddpm/train/algorithm1.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <vector>

#include "ddpm/train/fake_run.h"

namespace ddpm {
namespace {

struct Result {
  double loss;
  std::vector<float> gradient;
  bool operator==(const Result&) const = default;
};

Result accumulate(int threads, int micro_batch, std::int64_t step, int batch = 64) {
  RunConfig config = fake_config();
  config.train.batch = batch;
  config.train.micro_batch = micro_batch;
  const FakeData data({2, 4, 4}, 100);
  const Schedule schedule = Schedule::linear();
  ThreadPool pool(threads);
  FakeLearner learner({2, 4, 4});
  learner.params().tensor("gain.weight")[0] = 0.3F;
  Algorithm1 algorithm(config, data, schedule, pool);
  const double loss = algorithm.accumulate(learner, step);
  const Params g = learner.gradients();
  return {loss, {g.all().begin(), g.all().end()}};
}

TEST(Algorithm1, DoesNotDependOnThreadsOrMicroBatches) {
  const Result one = accumulate(1, 0, 5);
  EXPECT_EQ(one, accumulate(3, 0, 5));
  EXPECT_EQ(one, accumulate(1, 32, 5));
  EXPECT_EQ(one, accumulate(2, 64, 5));
  EXPECT_NE(one, accumulate(1, 0, 6));
}

// An untrained network puts out zeros, and E |eps|^2 is 1 an element (Sec. 3.4).
TEST(Algorithm1, LossOfAZeroNetworkIsOne) {
  RunConfig config = fake_config();
  config.train.batch = 128;
  const FakeData data({2, 4, 4}, 100);
  const Schedule schedule = Schedule::linear();
  ThreadPool pool(1);
  FakeLearner learner({2, 4, 4});
  Algorithm1 algorithm(config, data, schedule, pool);
  double sum = 0;
  for (int step = 1; step <= 50; ++step) sum += algorithm.accumulate(learner, step) / 50;
  // Mean of 50 * 128 * 32 squared normals: standard deviation sqrt(2 / 204800) = 0.0031; five of
  // them.
  EXPECT_NEAR(sum, 1, 0.016);
}

// The derivative of the mean loss: what a learner gathers must be what the loss does when a weight
// moves.
TEST(Algorithm1, GradientIsTheDifferenceQuotientOfTheLoss) {
  RunConfig config = fake_config();
  config.train.batch = 32;
  const FakeData data({2, 4, 4}, 100);
  const Schedule schedule = Schedule::linear();
  ThreadPool pool(1);
  const auto loss_at = [&](std::size_t i, float value, double* gradient) {
    FakeLearner learner({2, 4, 4});
    learner.params().all()[i] = value;
    Algorithm1 algorithm(config, data, schedule, pool);
    const double loss = algorithm.accumulate(learner, 3);
    if (gradient) *gradient = learner.gradients().all()[i];
    return loss;
  };
  for (std::size_t i = 0; i < 6; ++i) {
    double gradient = 0;
    loss_at(i, 0.25F, &gradient);
    // L is quadratic in a weight, so the central difference is exact up to rounding: float outputs
    // (6e-8) over h = 1/8.
    const double quotient = (loss_at(i, 0.375F, nullptr) - loss_at(i, 0.125F, nullptr)) / 0.25;
    EXPECT_NEAR(gradient, quotient, 1e-5) << "weight " << i;
  }
}

TEST(Algorithm1, SamplesAreCountedOverTheWholeRun) {
  RunConfig config = fake_config();
  config.train.batch = 32;
  const FakeData data({2, 4, 4}, 100);
  const Schedule schedule = Schedule::linear();
  ThreadPool pool(1);
  FakeLearner learner({2, 4, 4});
  Algorithm1 algorithm(config, data, schedule, pool);
  algorithm.accumulate(learner, 3);
  std::vector<std::uint64_t> expected(32);
  std::iota(expected.begin(), expected.end(), 64U);
  EXPECT_EQ(learner.samples_of_step, expected);
  EXPECT_EQ(learner.forwards_of_step, 2);  // 32 / 16 slices, one at a time
}

TEST(Algorithm1, AnImageThatCannotBeReadIsNamed) {
  for (const int threads : {1, 2}) {
    FakeData data({2, 4, 4}, 10);
    data.broken = 4;
    const Schedule schedule = Schedule::linear();
    ThreadPool pool(threads);
    FakeLearner learner({2, 4, 4});
    RunConfig config = fake_config();
    config.train.batch = 10;  // a whole epoch
    Algorithm1 algorithm(config, data, schedule, pool);
    EXPECT_THROW(algorithm.accumulate(learner, 1), Error);
  }
}

TEST(Mirror, ReversesRowsWithinTheirPlane) {
  std::vector<std::uint8_t> chw = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
  mirror(chw, {2, 2, 3});
  EXPECT_EQ(chw, (std::vector<std::uint8_t>{3, 2, 1, 6, 5, 4, 9, 8, 7, 12, 11, 10}));
}

TEST(LearningRate, WarmsUpLinearlyThenStays) {
  TrainConfig c;
  c.learning_rate = 2e-4;
  c.warmup = 5000;
  EXPECT_DOUBLE_EQ(learning_rate_at(c, 1), 4e-8);
  EXPECT_DOUBLE_EQ(learning_rate_at(c, 2500), 1e-4);
  EXPECT_EQ(learning_rate_at(c, 5000), 2e-4);
  EXPECT_EQ(learning_rate_at(c, 800'000), 2e-4);
  c.warmup = 0;
  EXPECT_EQ(learning_rate_at(c, 1), 2e-4);
}

TEST(EmaDecay, RisesToItsLimit) {
  TrainConfig c;
  c.ema = 0.9999;
  EXPECT_DOUBLE_EQ(ema_decay_at(c, 1), 2.0 / 11);
  EXPECT_DOUBLE_EQ(ema_decay_at(c, 90), 0.91);
  EXPECT_EQ(ema_decay_at(c, 100'000), 0.9999);
}

}  // namespace
}  // namespace ddpm
