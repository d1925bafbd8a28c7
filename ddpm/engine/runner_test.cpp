#include "ddpm/engine/runner.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "ddpm/base/error.h"

namespace ddpm {
namespace {

// out = 3 x + time, image by image, and what it was asked for.
class LinearDenoiser : public Denoiser {
 public:
  void predict(std::span<const float> x, std::span<const double> time, std::span<const int>,
               std::span<float> out) override {
    calls.emplace_back(time.begin(), time.end());
    for (std::size_t i = 0; i < x.size(); ++i) {
      out[i] = 3 * x[i] + static_cast<float>(time[i / shape().size()]);
    }
  }
  Shape shape() const override { return {1, 2, 2}; }
  int max_batch() const override { return 8; }

  std::vector<std::vector<double>> calls;
};

std::vector<float> ramp(std::size_t n) {
  std::vector<float> x(n);
  for (std::size_t i = 0; i < n; ++i) x[i] = 0.1f * static_cast<float>(i);
  return x;
}

TEST(RunPlan, ReadsTheOutputLimitsItAndCombinesInTheOrderOfTheUpdates) {
  LinearDenoiser denoiser;
  Row row{.time = 5.0, .c_in = 2, .r_x = 1, .r_out = 0.5, .e_x = 1, .e_out = 0, .e_x0 = -1};
  row.limit = Limit::clip(3);
  row.updates = {{.dst = Reg::eps, .terms = {{Reg::eps, 2}}},
                 {.dst = Reg::x, .terms = {{Reg::x0, 1}, {Reg::eps, 0.5}}, .c_z = 0.25}};
  std::vector<float> x = ramp(4);
  const auto z = [](int image, int index, std::span<float> out) {
    EXPECT_EQ(image, 0);
    EXPECT_EQ(index, 0);
    std::fill(out.begin(), out.end(), 4.0f);
  };
  ASSERT_TRUE(run_plan({row}, denoiser, x, z));
  ASSERT_EQ(denoiser.calls.size(), 1U);
  EXPECT_EQ(denoiser.calls[0], std::vector<double>{5.0});
  for (int i = 0; i < 4; ++i) {
    // out = 6 x + 5; x0 = min(x + out / 2, 3) = min(4 x + 2.5, 3); eps = 2 (x - x0); x' = x0 + eps
    // / 2 + 1 = x + 1.
    EXPECT_NEAR(x[i], 0.1 * i + 1, 1e-6) << i;
  }
}

TEST(RunPlan, ShowsEveryRowAndStopsWhenToldTo) {
  LinearDenoiser denoiser;
  Row row{.time = 1.0, .r_x = 0, .r_out = 1};
  row.updates = {{.dst = Reg::x, .terms = {{Reg::x0, 0.5}}}};
  std::vector<float> x = ramp(4);
  std::vector<int> seen;
  const RowObserver twice = [&](int index, std::span<const float>, std::span<const float> x0) {
    seen.push_back(index);
    EXPECT_EQ(x0.size(), 4U);
    return index < 1;
  };
  EXPECT_FALSE(run_plan(Plan(5, row), denoiser, x, philox_noise(1, 0), twice));
  EXPECT_EQ(seen, (std::vector<int>{0, 1}));
  EXPECT_EQ(denoiser.calls.size(), 2U);
}

TEST(RunPlan, GivesAnImageTheSameNoiseInAnyBatch) {
  Row row{.time = 1.0, .r_x = 1};
  row.updates = {{.dst = Reg::x, .terms = {{Reg::x, 0.9}}, .c_z = 1}};
  const Plan plan(3, row);
  LinearDenoiser denoiser;
  std::vector<float> all(4 * 4);
  start_noise(7, 10, denoiser.shape(), all);
  run_plan(plan, denoiser, all, philox_noise(7, 10));
  for (std::size_t n = 0; n < 4; ++n) {
    std::vector<float> one(4);
    start_noise(7, 10 + n, denoiser.shape(), one);
    run_plan(plan, denoiser, one, philox_noise(7, 10 + n));
    EXPECT_TRUE(std::equal(one.begin(), one.end(), all.begin() + static_cast<long>(4 * n))) << n;
  }
}

const NoiseSource kNoNoise = [](int, int, std::span<float>) { FAIL() << "no row asks for noise"; };

TEST(RunPlan, MultipliesTheStartByTheInitialScale) {
  LinearDenoiser denoiser;
  Plan plan;
  plan.initial_scale = 20;
  std::vector<float> x = ramp(4);
  ASSERT_TRUE(run_plan(plan, denoiser, x, kNoNoise));
  for (int i = 0; i < 4; ++i) EXPECT_FLOAT_EQ(x[i], 2.0f * static_cast<float>(i));
}

// Four calls at times 1..4 of a network that answers its time plus 3 x: x0 and eps of the last
// three calls, and what a row kept.
TEST(RunPlan, KeepsTheThreeCallsBeforeAndWhatARowSaves) {
  LinearDenoiser denoiser;
  Plan plan;
  for (int i = 1; i <= 4; ++i) {
    plan.push_back({.time = i, .r_out = 1, .e_out = 10});  // x0 = 3 x + i, eps = 10 x0
  }
  plan[1].updates = {{.dst = Reg::s2, .terms = {{Reg::x0, 1}, {Reg::eps_1, 1}}}};  // 2 + 10
  plan[3].updates = {{.dst = Reg::x,
                      .terms = {{Reg::x0, 1},
                                {Reg::x0_1, 100},
                                {Reg::x0_2, 1e4},
                                {Reg::x0_3, 1e6},
                                {Reg::eps_3, 1e6},
                                {Reg::s2, 1e8}}}};
  std::vector<float> x(4, 0.0f);
  ASSERT_TRUE(run_plan(plan, denoiser, x, kNoNoise));
  // 4 + 300 + 2e4 + 1e6 + 1e7 + 12e8, in one float.
  for (const float value : x) EXPECT_FLOAT_EQ(value, 1211020304.0f);
}

TEST(RunPlan, RowsWithoutATimeCallNoNetwork) {
  LinearDenoiser denoiser;
  Row row;
  row.updates = {{.dst = Reg::x, .terms = {{Reg::x, 1}}, .c_z = 2}};
  std::vector<float> x = ramp(4);
  run_plan({row}, denoiser, x, [](int, int, std::span<float> z) { std::ranges::fill(z, 0.5f); });
  EXPECT_TRUE(denoiser.calls.empty());
  for (int i = 0; i < 4; ++i) EXPECT_FLOAT_EQ(x[i], 0.1f * static_cast<float>(i) + 1);
}

// |x0| of the first image is 0..3 (its 0.5 quantile 1.5), of the second 0..0.3 (below 1: clipped to
// [-1, 1]), of the third 0..30 (above the maximum of 2): each image has its own scale.
TEST(RunPlan, DynamicThresholdIsTheQuantileOfEachImage) {
  LinearDenoiser denoiser;
  Row row{.time = 0.0, .r_x = 1, .limit = Limit::dynamic(0.5, 2)};
  row.updates = {{.dst = Reg::x, .terms = {{Reg::x0, 1}}}};
  std::vector<float> x;
  for (const float size : {1.0f, -0.1f, 10.0f}) {
    for (int i = 0; i < 4; ++i) x.push_back(size * static_cast<float>(i));
  }
  ASSERT_TRUE(run_plan({row}, denoiser, x, kNoNoise));
  const std::vector<float> want = {0, 1 / 1.5f, 1, 1, 0, -0.1f, -0.1f * 2, -0.1f * 3, 0, 1, 1, 1};
  for (std::size_t i = 0; i < x.size(); ++i) EXPECT_FLOAT_EQ(x[i], want[i]) << i;
}

// A network with variance channels: v = image number + 1 everywhere.
class LearnedDenoiser : public Denoiser {
 public:
  void predict(std::span<const float> x, std::span<const double> time, std::span<const int>,
               std::span<float> out) override {
    ASSERT_EQ(out.size(), 2 * x.size());
    for (std::size_t n = 0; n < time.size(); ++n) {
      std::fill_n(out.begin() + static_cast<long>(8 * n), 4, 7.0f);
      std::fill_n(out.begin() + static_cast<long>(8 * n + 4), 4, static_cast<float>(n + 1));
    }
  }
  Shape shape() const override { return {1, 2, 2}; }
  Shape out_shape() const override { return {2, 2, 2}; }
  int max_batch() const override { return 8; }
};

TEST(RunPlan, ScalesNoiseByTheVarianceChannels) {
  LearnedDenoiser denoiser;
  Row row{.time = 0.0, .r_out = 1};
  row.updates = {{.dst = Reg::x, .terms = {{Reg::x0, 1}}, .c_z = 2, .z_v = 0.5}};
  std::vector<float> x(8);
  run_plan({row}, denoiser, x, [](int, int, std::span<float> z) { std::ranges::fill(z, 1.0f); });
  for (int i = 0; i < 8; ++i) EXPECT_FLOAT_EQ(x[i], 7 + 2 * std::exp(0.5f * (i < 4 ? 1 : 2)));
}

// z_v without variance channels is a plan for another network.
TEST(RunPlan, RefusesALearnedScaleWithoutItsChannels) {
  LinearDenoiser denoiser;
  Row row{.time = 0.0};
  row.updates = {{.dst = Reg::x, .c_z = 2, .z_v = 0.5}};
  std::vector<float> x(4);
  EXPECT_THROW(run_plan({row}, denoiser, x, philox_noise(1, 0)), BugError);
}

// h = 2 (snr |z| / |g|)^2 of the image itself: g = (3, 4, 0, 0), z = (0, 0, 0, 10), snr 0.5 give h
// = 2; the second image has g ten times as large and h a hundredth.
TEST(RunPlan, CorrectorTakesItsStepFromTheNormsOfEachImage) {
  LinearDenoiser denoiser;
  Row row;
  row.updates = {{.dst = Reg::x, .terms = {{Reg::x, 1}}, .snr = 0.5}};
  std::vector<float> x = {3, 4, 0, 0, 30, 40, 0, 0};
  run_plan({row}, denoiser, x, [](int, int, std::span<float> z) {
    std::ranges::fill(z, 0.0f);
    z[3] = 10;
  });
  const std::vector<float> want = {9, 12, 0, 20, 30.6f, 40.8f, 0, 2};
  for (std::size_t i = 0; i < 8; ++i) EXPECT_FLOAT_EQ(x[i], want[i]) << i;
}

// Every family of samplers: an image's bits are the same alone and in a batch.
TEST(RunPlan, GivesAnImageTheSameBitsInAnyBatchWhateverThePlan) {
  const Schedule s = Schedule::linear();
  for (const char* spec :
       {"ddpm:8", "ddim:8,eta=1", "dpmpp:8,order=3,algorithm=sde-dpmsolver++", "unipc:8,order=3",
        "deis:8,order=3", "pndm:6", "heun:6,churn=4", "euler_a:6", "lms:6", "langevin:5,t=200",
        "ald:3,steps=2", "pc:4", "ddim:6,threshold=0.6"}) {
    const Plan plan = parse_plan(spec, s, {});
    LinearDenoiser denoiser;
    std::vector<float> all(3 * 4);
    start_noise(7, 10, denoiser.shape(), all);
    run_plan(plan, denoiser, all, philox_noise(7, 10));
    for (std::size_t n = 0; n < 3; ++n) {
      std::vector<float> one(4);
      start_noise(7, 10 + n, denoiser.shape(), one);
      run_plan(plan, denoiser, one, philox_noise(7, 10 + n));
      EXPECT_TRUE(std::equal(one.begin(), one.end(), all.begin() + static_cast<long>(4 * n)))
          << spec << ' ' << n;
    }
  }
}

}  // namespace
}  // namespace ddpm
