#include "ddpm/engine/runner.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace ddpm {
namespace {

// out = 3 x + time, image by image, and what it was asked for.
class LinearDenoiser : public Denoiser {
 public:
  void predict(std::span<const float> x, std::span<const double> time,
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

}  // namespace
}  // namespace ddpm
