#include "ddpm/likelihood/flow_measure.h"

#include <gtest/gtest.h>

#include <atomic>

#include "ddpm/base/error.h"
#include "ddpm/diffusion/schedule.h"
#include "ddpm/likelihood/flow_batch.h"
#include "ddpm/likelihood/gaussian_for_test.h"

namespace ddpm {
namespace {

FlowReport flow_of(const GaussianData& data, Shape shape, int count, int batch,
                   std::uint64_t seed = 0) {
  const Schedule schedule = Schedule::linear();
  const auto images = data.images(count, shape);
  GaussianNet net(data, schedule, shape, batch);
  return measure_flow(net, schedule, Prediction::eps, {*images, static_cast<std::size_t>(count)},
                      {.seed = seed});
}

// The flow's density of Gaussian data is the data's, so that bits/dim is their entropy. Levels are
// taken to be 1 / 128 apart (flow_bits_per_dim): data with 1 / 127.5 between them get narrower by
// 1 / 256, log2 of which is 0.0056. Uniform noise of a level's width adds 3e-4 of the variance.
TEST(MeasureFlow, IsTheEntropyOfGaussianDataWithinItsError) {
  for (const double r : {0.0, 0.8}) {
    for (const Shape shape : {Shape{1, 4, 4}, Shape{1, 8, 8}}) {
      const GaussianData data{.r = r};
      const FlowReport report = flow_of(data, shape, 48, 8);
      EXPECT_EQ(report.exact_trace, shape.size() <= kExactTrace);
      EXPECT_LT(report.bits_per_dim.standard_error, 0.06);
      EXPECT_NEAR(report.bits_per_dim.mean, data.entropy(),
                  4 * report.bits_per_dim.standard_error + 0.01)
          << r << " " << shape.h;
    }
  }
}

TEST(MeasureFlow, AnImageCostsTheSameInAnyBatch) {
  const GaussianData data{.r = 0.5};
  const FlowReport one = flow_of(data, {1, 8, 8}, 7, 1), many = flow_of(data, {1, 8, 8}, 7, 16);
  for (std::size_t i = 0; i < 7; ++i) {
    EXPECT_EQ(one.images[i].bits_per_dim, many.images[i].bits_per_dim) << i;
    EXPECT_EQ(one.images[i].evaluations, many.images[i].evaluations) << i;
  }
  EXPECT_EQ(one.evaluations, many.evaluations);
  EXPECT_NE(one.images[0].bits_per_dim, flow_of(data, {1, 8, 8}, 1, 1, 5).images[0].bits_per_dim);
}

// eps from an output of every meaning, at whole t as prediction.h has it.
TEST(EpsOnLine, IsEpsFromAtWholeTimes) {
  const Schedule schedule = Schedule::linear(50, 1e-3, 0.2);
  const TimeLine line(schedule);
  for (const Prediction p :
       {Prediction::eps, Prediction::x0, Prediction::v, Prediction::mu, Prediction::score}) {
    for (const int t : {1, 2, 20, 50}) {
      const Linear want = eps_from(schedule, t, p), got = eps_on_line(line, t, p);
      // log alpha_bar at whole t is that of the schedule to 1e-15; 1 / b^2 of it is at most 1e3.
      EXPECT_NEAR(got.x, want.x, 1e-10 * (1 + std::abs(want.x))) << to_string(p) << " " << t;
      EXPECT_NEAR(got.out, want.out, 1e-10 * (1 + std::abs(want.out))) << to_string(p) << " " << t;
    }
  }
}

// Every task asks `image + 1` times; answers are sums over the asker's own x.
TEST(FlowBatch, AnswersAllTasksTogether) {
  std::vector<int> asked(9);
  std::size_t widest = 0;
  FlowBatch().run(
      9, 4,
      [&](std::size_t image, const FlowBatch::Ask& ask) {
        for (std::size_t i = 0; i <= image; ++i) {
          const std::vector<double> x(2, static_cast<double>(image));
          std::vector<double> eps(2), vjp(2);
          ask({image, 1, x, x, eps, vjp});
          if (eps[0] == x[0] + 1) ++asked[image];
        }
      },
      [&](std::span<const FlowQuestion> questions) {
        widest = std::max(widest, questions.size());
        for (const FlowQuestion& q : questions) q.eps[0] = q.x[0] + 1;
      },
      [](std::size_t) {});
  for (int i = 0; i < 9; ++i) EXPECT_EQ(asked[i], i + 1);
  EXPECT_EQ(widest, 4U);
}

TEST(FlowBatch, AnErrorOfAnyPartEndsAll) {
  const auto task = [](std::size_t image, const FlowBatch::Ask& ask) {
    std::vector<double> x(1);
    for (int i = 0; i < 5; ++i) ask({image, 1, x, x, x, x});
    if (image == 2) throw Error("task {}", image);
  };
  const auto nothing = [](std::span<const FlowQuestion>) {};
  EXPECT_THROW(FlowBatch().run(8, 4, task, nothing, [](std::size_t) {}), Error);
  const auto fails = [](std::span<const FlowQuestion>) { throw BugError("answer"); };
  EXPECT_THROW(FlowBatch().run(8, 4, task, fails, [](std::size_t) {}), BugError);
  const auto stops = [](std::size_t) { throw 7; };
  EXPECT_THROW(FlowBatch().run(8, 4, task, nothing, stops), int);
}

}  // namespace
}  // namespace ddpm
