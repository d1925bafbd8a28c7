#include "ddpm/train/evaluate.h"

#include <gtest/gtest.h>

#include <set>

#include "ddpm/base/philox.h"
#include "ddpm/diffusion/bound.h"
#include "ddpm/diffusion/forward.h"
#include "ddpm/train/batcher.h"
#include "ddpm/train/fake_learner.h"
#include "ddpm/train/held_out.h"
#include "ddpm/train/samples.h"

namespace ddpm {
namespace {

constexpr Shape kImageShape{1, 4, 4};

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
  const FakeData data(kImageShape, 30);
  const Schedule schedule = Schedule::linear();
  Params params(fake_specs(1));
  params.tensor("gain.weight")[0] = 0.5F;
  std::set<double> losses, bits;
  for (const int batch : {1, 3, 16, 64}) {
    FakeDenoiser denoiser(kImageShape, params, batch);
    const auto held_out = evaluate_held_out(data, schedule, {.count = 20, .bound = true}, denoiser);
    losses.insert(held_out->loss);
    bits.insert(*held_out->bits_per_dim);
  }
  EXPECT_EQ(losses.size(), 1U);
  EXPECT_EQ(bits.size(), 1U);
}

// Zero output: the mean of squared normals. All 30 images are used when more are asked for.
TEST(HeldOutLoss, OfAZeroNetworkIsOne) {
  const FakeData data(kImageShape, 30);
  const Schedule schedule = Schedule::linear();
  FakeDenoiser denoiser(kImageShape, Params(fake_specs(1)), 16);
  const auto held_out = evaluate_held_out(data, schedule, {.count = 1000}, denoiser);
  const double loss = held_out->loss;
  EXPECT_FALSE(held_out->bits_per_dim);
  EXPECT_NEAR(loss, 1, 5 * std::sqrt(2.0 / (30 * 16)));  // five standard deviations of the mean
  EXPECT_EQ(loss, evaluate_held_out(data, schedule, {.count = 30}, denoiser)->loss);
}

// As many images as times: every t is met once, and the estimate is the bound's own sum, with each
// term from another image. Clipped x0, as nll measures it.
TEST(HeldOutLoss, BitsPerDimAreTheSumOfTheTerms) {
  constexpr int kT = 30;
  const FakeData data(kImageShape, kT);
  const Schedule schedule = Schedule::linear(kT, 1e-3, 0.3);
  Params params(fake_specs(1));
  params.tensor("gain.weight")[0] = 0.5F;
  FakeDenoiser fake(kImageShape, params, 7);
  Denoiser& denoiser = fake;
  double expected = 0;
  DataOrder order(0, kT);
  for (std::uint64_t i = 0; i < kT; ++i) {
    std::vector<std::uint8_t> bytes(16);
    std::vector<float> x0(16), eps(16), x_t(16), out(16);
    data.load(order.at(i), bytes);
    bytes_to_floats(bytes, x0);
    fill_normal({.seed = 0, .purpose = Purpose::eval_noise, .image = i}, eps);
    const auto bits = [&](int t) {
      q_sample(schedule, t, x0, eps, x_t);
      denoiser.predict(x_t, std::vector<double>{network_time(t)}, out);
      return bound_term<float>(schedule, t, {.clip = 1}, x0, eps, out).bits_per_dim;
    };
    const int t = static_cast<int>(i) + 1;
    expected += (prior_bits<float>(schedule, x0) + bits(1)) / kT + (t > 1 ? bits(t) : 0);
  }
  const auto held_out = evaluate_held_out(data, schedule, {.count = kT, .bound = true}, denoiser);
  EXPECT_NEAR(*held_out->bits_per_dim, expected, 1e-12 * expected);  // another order of sums
}

// The variance's channels are no part of the loss.
TEST(HeldOutLoss, OfALearnedVarianceIsThatOfTheMeanPart) {
  class Doubled : public FakeDenoiser {
   public:
    using FakeDenoiser::FakeDenoiser;
    Shape out_shape() const override { return {2, 4, 4}; }
    void predict(std::span<const float> x, std::span<const double> time, std::span<const int> label,
                 std::span<float> out) override {
      std::vector<float> mean(x.size());
      FakeDenoiser::predict(x, time, label, mean);
      for (std::size_t i = 0; i < out.size(); ++i) {
        const std::size_t image = i / 32, place = i % 32;
        out[i] = place < 16 ? mean[image * 16 + place] : 0.3F;
      }
    }
  };
  const FakeData data(kImageShape, 30);
  const Schedule schedule = Schedule::linear();
  FakeDenoiser single(kImageShape, Params(fake_specs(1)), 16);
  Doubled doubled(kImageShape, Params(fake_specs(1)), 16);
  const HeldOutOptions learned{.count = 30, .variance = Variance::learned_range, .bound = true};
  const auto a = evaluate_held_out(data, schedule, {.count = 30, .bound = true}, single),
             b = evaluate_held_out(data, schedule, learned, doubled);
  EXPECT_EQ(a->loss, b->loss);
  EXPECT_NE(a->bits_per_dim, b->bits_per_dim);
}

TEST(HeldOutLoss, StopsWhenAsked) {
  const FakeData data(kImageShape, 30);
  FakeDenoiser denoiser(kImageShape, Params(fake_specs(1)), 4);
  int asked = 0;
  EXPECT_FALSE(evaluate_held_out(data, Schedule::linear(), {.count = 30}, denoiser,
                                 [&] { return ++asked == 3; }));
  EXPECT_EQ(asked, 3);
}

}  // namespace
}  // namespace ddpm
