#include "ddpm/train/algorithm1.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <vector>

#include "ddpm/base/philox.h"
#include "ddpm/diffusion/loss.h"
#include "ddpm/train/augment.h"
#include "ddpm/train/batch_gradient.h"
#include "ddpm/train/fake_run.h"

namespace ddpm {
namespace {

struct Outcome {
  double loss;
  std::vector<float> gradient;
  bool operator==(const Outcome&) const = default;
};

// All that a step of Algorithm 1 needs.
struct TrainingSteps {
  std::unique_ptr<TimeSampler> times;
  Algorithm1 task;
  BatchGradient gradient;

  TrainingSteps(const RunConfig& config, const Dataset& data, const Schedule& schedule,
                ThreadPool& pool)
      : times(make_time_sampler(config.diffusion.time_sampler, schedule)),
        task(config, data, nullptr, schedule, *times),
        gradient(config.train, data.size(), task, pool) {}

  double accumulate(Learner& learner, std::int64_t step) {
    return gradient.accumulate(learner, step);
  }
};

Outcome accumulate(int threads, int micro_batch, std::int64_t step,
                   const DiffusionConfig& diffusion = {}) {
  RunConfig config = fake_config();
  config.diffusion = diffusion;
  config.train.batch = 64;
  config.train.micro_batch = micro_batch;
  const FakeData data({2, 4, 4}, 100);
  const Schedule schedule = Schedule::linear();
  ThreadPool pool(threads);
  FakeLearner learner({2, 4, 4});
  learner.params().tensor("gain.weight")[0] = 0.3F;
  TrainingSteps algorithm(config, data, schedule, pool);
  const double loss = algorithm.accumulate(learner, step);
  const Params g = learner.gradients();
  return {loss, {g.all().begin(), g.all().end()}};
}

TEST(Algorithm1, DoesNotDependOnThreadsOrMicroBatches) {
  for (const char* loss : {"simple", "rescaled_kl", "min_snr"}) {
    for (const char* times : {"uniform", "antithetic", "log_normal"}) {
      const DiffusionConfig d{.loss = loss, .time_sampler = times};
      const Outcome one = accumulate(1, 0, 5, d);
      EXPECT_EQ(one, accumulate(3, 0, 5, d));
      EXPECT_EQ(one, accumulate(1, 32, 5, d));
      EXPECT_EQ(one, accumulate(2, 64, 5, d));
      EXPECT_NE(one, accumulate(1, 0, 6, d));
    }
  }
}

// The defaults are Algorithm 1 to the letter, and what every version before did: uniform t, the
// plain squared error, in these bits.
TEST(Algorithm1, DefaultsAreUniformTimesAndSimpleLoss) {
  const RunConfig config = fake_config();  // batch 4: one slice
  const FakeData data({2, 4, 4}, 100);
  const Schedule schedule = Schedule::linear();
  ThreadPool pool(2);
  FakeLearner learner({2, 4, 4});
  DataOrder order(config.train.seed, data.size());
  double sum = 0;
  for (std::uint64_t position = 8; position < 12; ++position) {  // of step 3
    std::vector<std::uint8_t> bytes(32);
    std::vector<float> x0(32), eps(32), unused(32);
    data.load(order.at(position), bytes);
    augment(config.data, 7, position, {2, 4, 4}, bytes);
    bytes_to_floats(bytes, x0);
    fill_normal({.seed = 7, .purpose = Purpose::train_noise, .image = position}, eps);
    const std::vector<float> out(32);  // of a fake learner that has learned nothing
    sum += simple_loss(eps, out, 1, unused);
  }
  EXPECT_EQ(TrainingSteps(config, data, schedule, pool).accumulate(learner, 3), sum / 4);
}

// E weight * loss over the sampler's t is the mean over uniform t, and so is the gradient.
TEST(Algorithm1, ImportanceSamplingHasTheUniformLossAsItsMean) {
  RunConfig config = fake_config();
  config.train.batch = 64;
  config.diffusion.loss = "rescaled_kl";
  const FakeData data({2, 4, 4}, 100);
  const Schedule schedule = Schedule::linear(10, 0.02, 0.5);
  ThreadPool pool(1);
  const auto mean_of = [&](const char* sampler, std::int64_t first, double* second) {
    FakeLearner learner({2, 4, 4});
    config.diffusion.time_sampler = sampler;
    TrainingSteps algorithm(config, data, schedule, pool);
    for (std::int64_t step = 1; step < first; ++step) algorithm.accumulate(learner, step);
    constexpr int kSteps = 400;
    double sum = 0, squares = 0;
    for (int k = 0; k < kSteps; ++k) {
      const double loss = algorithm.accumulate(learner, first + k);
      sum += loss / kSteps;
      squares += loss * loss / kSteps;
    }
    *second = std::sqrt((squares - sum * sum) / kSteps);  // standard error of the mean
    return sum;
  };
  double error_uniform = 0, error_weighted = 0;
  const double uniform = mean_of("uniform", 1, &error_uniform);
  const double weighted = mean_of("loss_second_moment", 20, &error_weighted);  // 20 steps: warm
  EXPECT_NEAR(weighted, uniform, 5 * std::hypot(error_uniform, error_weighted));
  EXPECT_LT(error_weighted, 0.5 * error_uniform);  // what it is for
}

// An untrained network puts out zeros, and E |eps|^2 is 1 an element (Sec. 3.4).
TEST(Algorithm1, LossOfAZeroNetworkIsOne) {
  RunConfig config = fake_config();
  config.train.batch = 128;
  const FakeData data({2, 4, 4}, 100);
  const Schedule schedule = Schedule::linear();
  ThreadPool pool(1);
  FakeLearner learner({2, 4, 4});
  TrainingSteps algorithm(config, data, schedule, pool);
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
    TrainingSteps algorithm(config, data, schedule, pool);
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
  TrainingSteps algorithm(config, data, schedule, pool);
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
    TrainingSteps algorithm(config, data, schedule, pool);
    EXPECT_THROW(algorithm.accumulate(learner, 1), Error);
  }
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

TEST(LearningRate, FallsLinearlyToZeroAtTheEnd) {
  TrainConfig c;
  c.learning_rate = 2e-4;
  c.warmup = 0;
  c.steps = 10'000;
  c.decay = 4000;
  EXPECT_EQ(learning_rate_at(c, 6001), 2e-4);
  EXPECT_DOUBLE_EQ(learning_rate_at(c, 6002), 2e-4 * 3999 / 4000);
  EXPECT_DOUBLE_EQ(learning_rate_at(c, 8001), 1e-4);
  EXPECT_DOUBLE_EQ(learning_rate_at(c, 10'000), 5e-8) << "the last step learns";
  EXPECT_EQ(learning_rate_at(c, 10'001), 0);
  c.decay = 0;
  EXPECT_EQ(learning_rate_at(c, 10'000), 2e-4);
}

// A short run may rise and fall without ever reaching its rate.
TEST(LearningRate, IsTheLowerOfRiseAndFall) {
  TrainConfig c;
  c.learning_rate = 1;
  c.steps = 10;
  c.warmup = c.decay = 20;
  EXPECT_DOUBLE_EQ(learning_rate_at(c, 1), 1.0 / 20);
  EXPECT_DOUBLE_EQ(learning_rate_at(c, 5), 5.0 / 20);
  EXPECT_DOUBLE_EQ(learning_rate_at(c, 6), 5.0 / 20);
  EXPECT_DOUBLE_EQ(learning_rate_at(c, 10), 1.0 / 20);
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
