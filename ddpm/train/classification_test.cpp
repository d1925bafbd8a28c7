#include "ddpm/train/classification.h"

#include <gtest/gtest.h>

#include <cmath>

#include "ddpm/base/philox.h"
#include "ddpm/diffusion/cross_entropy.h"
#include "ddpm/diffusion/forward.h"
#include "ddpm/train/batch_gradient.h"
#include "ddpm/train/fake_learner.h"

namespace ddpm {
namespace {

constexpr Shape kShape{1, 4, 4};
constexpr int kClasses = 3;

// Image i has label i % 3, unless told otherwise.
class LabelledData : public FakeData {
 public:
  using FakeData::FakeData;
  std::optional<int> label(std::size_t i) const override {
    if (i == unlabelled) return std::nullopt;
    return static_cast<int>(i % classes_in_use);
  }
  std::size_t unlabelled = 1000, classes_in_use = kClasses;
};

RunConfig config_of(bool noisy) {
  RunConfig c;
  c.classifier = ClassifierConfig{.in_channels = 1,
                                  .height = 4,
                                  .width = 4,
                                  .num_classes = kClasses,
                                  .block_out_channels = {8},
                                  .noisy = noisy};
  c.train.batch = 8;
  c.train.eval_count = 9;
  c.train.seed = 5;
  return c;
}

/// Says label round(mean + 1) of what it is given, sure of it by `confidence`.
class Oracle : public Denoiser {
 public:
  explicit Oracle(std::vector<int> answers, float confidence)
      : answers_(std::move(answers)), confidence_(confidence) {}
  std::vector<double> times;

  void predict(std::span<const float>, std::span<const double> time, std::span<const int>,
               std::span<float> out) override {
    std::ranges::fill(out, 0.0F);
    for (std::size_t i = 0; i < time.size(); ++i) {
      out[i * kClasses + answers_[asked_++]] = confidence_;
      times.push_back(time[i]);
    }
  }
  Shape shape() const override { return kShape; }
  Shape out_shape() const override { return {kClasses, 1, 1}; }
  int max_batch() const override { return 4; }

 private:
  std::vector<int> answers_;
  float confidence_;
  std::size_t asked_ = 0;
};

TEST(Classification, EvaluationCountsRightAnswersAndTheirCrossEntropy) {
  const LabelledData data(kShape, 9);
  const Schedule schedule = Schedule::linear();
  const auto times = make_time_sampler("uniform", schedule);
  for (const bool noisy : {false, true}) {
    const RunConfig config = config_of(noisy);
    const Classification task(config, data, &data, schedule, *times);
    std::vector<int> answers;
    DataOrder order(0, 9);
    for (std::uint64_t i = 0; i < 9; ++i) answers.push_back(static_cast<int>(order.at(i) % 3));
    answers[2] = (answers[2] + 1) % 3;
    Oracle oracle(answers, 5);
    const auto held_out = task.evaluate(oracle, {});
    EXPECT_DOUBLE_EQ(*held_out->accuracy, 8.0 / 9);
    const double sum = std::exp(5.0) + 2;
    EXPECT_NEAR(held_out->loss, std::log(sum) - 5 * 8.0 / 9, 1e-12);
    EXPECT_FALSE(held_out->bits_per_dim);
    for (int i = 0; i < 9; ++i) {
      EXPECT_EQ(oracle.times[i], noisy ? network_time(evaluation_time(i, 9, 1000)) : 0);
    }
  }
}

TEST(Classification, StopsWhenAsked) {
  const LabelledData data(kShape, 9);
  const Schedule schedule = Schedule::linear();
  const auto times = make_time_sampler("uniform", schedule);
  const RunConfig config = config_of(false);
  Oracle oracle(std::vector<int>(9), 1);
  EXPECT_FALSE(
      Classification(config, data, &data, schedule, *times).evaluate(oracle, [] { return true; }));
}

TEST(Classification, ANoisyOneSeesXtOfTheDrawnTimeAndTheOtherCleanImages) {
  const LabelledData data(kShape, 9);
  const Schedule schedule = Schedule::linear();
  const auto times = make_time_sampler("uniform", schedule);
  for (const bool noisy : {false, true}) {
    const RunConfig config = config_of(noisy);
    Classification task(config, data, nullptr, schedule, *times);
    std::vector<float> x(16), expected(16), eps(16);
    NetworkInput input{.x = x};
    task.prepare({.position = 77, .image = 4, .in_batch = 5, .in_micro_batch = 5}, input);
    std::vector<std::uint8_t> bytes(16);
    data.load(4, bytes);
    bytes_to_floats(bytes, expected);
    if (noisy) {
      const int t = times->draw(5, 77, 8).t;
      fill_normal({.seed = 5, .purpose = Purpose::train_noise, .image = 77}, eps);
      q_sample(schedule, t, expected, eps, expected);
      EXPECT_EQ(input.time, network_time(t));
    }
    EXPECT_EQ(x, expected);
    EXPECT_EQ(input.label, kNoLabel);  // it must not be told
  }
}

TEST(Classification, TheLossIsTheCrossEntropyOfTheImagesLabel) {
  const LabelledData data(kShape, 9);
  const Schedule schedule = Schedule::linear();
  const auto times = make_time_sampler("uniform", schedule);
  const RunConfig config = config_of(false);
  Classification task(config, data, nullptr, schedule, *times);
  const std::vector<float> out = {0.5F, -1, 2};
  std::vector<float> d(3), expected(3);
  for (std::size_t image = 0; image < 3; ++image) {
    const Place place{.position = 0, .image = image, .in_batch = 0, .in_micro_batch = 0};
    const double loss = cross_entropy(out, static_cast<int>(image), 0.125, expected);
    EXPECT_EQ(task.loss(place, out, 0.125, d), loss);
    EXPECT_EQ(d, expected);
  }
}

TEST(CheckLabels, MissingOnesAndThoseOutOfRangeAreNamed) {
  LabelledData data(kShape, 9);
  EXPECT_NO_THROW(check_labels(data, 3));
  const auto message = [&](int classes) {
    try {
      check_labels(data, classes);
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), ExitCode::bad_input);
      return std::string(e.what());
    }
    return std::string();
  };
  EXPECT_NE(message(2).find("got label 2 of image 2, expected 0..1"), std::string::npos);
  data.unlabelled = 4;
  EXPECT_NE(message(3).find("got no labels"), std::string::npos);
}

}  // namespace
}  // namespace ddpm
