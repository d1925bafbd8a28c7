// Guidance on a mixture of two classes where every score is known in closed form.
#include "ddpm/engine/guided.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "ddpm/base/error.h"
#include "ddpm/engine/runner.h"

namespace ddpm {
namespace {

using testing::HasSubstr;

// Of the classes, every element alike and independent; no image is of the third.
constexpr double kMeans[] = {-0.6, 0.5, 0.1};
constexpr double kDeviation = 0.3;
constexpr Shape kShape = {1, 2, 2};

// x_t given class k is normal, the mean a m_k, the variance a^2 s^2 + b^2.
struct At {
  At(const Schedule& schedule, double time)
      : a2(schedule.alpha_bar(static_cast<int>(time) + 1)),
        a(std::sqrt(a2)),
        b(std::sqrt(1 - a2)),
        variance(a2 * kDeviation * kDeviation + 1 - a2) {}

  double score(int k, double x) const { return (a * kMeans[k] - x) / variance; }
  double logit(int k, std::span<const float> image) const {
    double sum = 0;
    for (const float x : image) sum -= std::pow(x - a * kMeans[k], 2) / (2 * variance);
    return sum;
  }
  // P(class 1 | image).
  double second(std::span<const float> image) const {
    return 1 / (1 + std::exp(logit(0, image) - logit(1, image)));
  }
  // The score at element i: of a class, of the mixture for kNoLabel.
  double score_of(int label, std::span<const float> image, std::size_t i) const {
    if (label != kNoLabel) return score(label, image[i]);
    const double p = second(image);
    return (1 - p) * score(0, image[i]) + p * score(1, image[i]);
  }

  double a2, a, b, variance;
};

// The best network there is, for any prediction; `channels` 2: it says a variance too.
class Mixture : public Denoiser {
 public:
  explicit Mixture(const Schedule& schedule, Prediction prediction = Prediction::eps,
                   bool variance = false)
      : schedule_(schedule), prediction_(prediction), variance_(variance) {}

  void predict(std::span<const float> x, std::span<const double> time, std::span<const int> label,
               std::span<float> out) override {
    sizes.push_back(static_cast<int>(time.size()));
    labels.assign(label.begin(), label.end());
    for (std::size_t n = 0; n < time.size(); ++n) {
      const At at(schedule_, time[n]);
      const Target to = target_of(schedule_, static_cast<int>(time[n]) + 1, prediction_);
      const std::span<const float> image = x.subspan(n * kShape.size(), kShape.size());
      const int k = label.empty() ? kNoLabel : label[n];
      for (std::size_t i = 0; i < kShape.size(); ++i) {
        const double eps = -at.b * at.score_of(k, image, i), x0 = (image[i] - at.b * eps) / at.a;
        const std::size_t place = n * out_shape().size() + i;
        out[place] = static_cast<float>(to.x0 * x0 + to.eps * eps);
        if (variance_) out[place + kShape.size()] = static_cast<float>(10 * k + image[i]);
      }
    }
  }
  Shape shape() const override { return kShape; }
  Shape out_shape() const override { return {variance_ ? 2 : 1, 2, 2}; }
  int max_batch() const override { return 16; }

  std::vector<int> sizes, labels;  // of the calls; of the last call

 private:
  const Schedule& schedule_;
  Prediction prediction_;
  bool variance_;
};

// The best classifier there is.
class Bayes : public VectorJacobian {
 public:
  explicit Bayes(const Schedule& schedule) : schedule_(schedule) {}

  std::span<const float> forward(std::span<const float> x, std::span<const double> time,
                                 std::span<const int>) override {
    x_.assign(x.begin(), x.end());
    time_.assign(time.begin(), time.end());
    logits_.clear();
    for (std::size_t n = 0; n < time.size(); ++n) {
      const At at(schedule_, time[n]);
      for (int k : {0, 1}) logits_.push_back(static_cast<float>(at.logit(k, image(n))));
    }
    return logits_;
  }
  void backward(std::span<const float> v, std::span<float> d_x) override {
    for (std::size_t n = 0; n < time_.size(); ++n) {
      const At at(schedule_, time_[n]);
      for (std::size_t i = 0; i < kShape.size(); ++i) {
        const double x = image(n)[i];
        d_x[n * kShape.size() + i] =
            static_cast<float>(v[2 * n] * at.score(0, x) + v[2 * n + 1] * at.score(1, x));
      }
    }
  }
  Shape shape() const override { return kShape; }
  Shape out_shape() const override { return {2, 1, 1}; }
  int max_batch() const override { return 16; }

 private:
  std::span<const float> image(std::size_t n) const {
    return std::span(x_).subspan(n * kShape.size(), kShape.size());
  }

  const Schedule& schedule_;
  std::vector<float> x_, logits_;
  std::vector<double> time_;
};

constexpr Prediction kPredictions[] = {Prediction::eps, Prediction::x0, Prediction::v,
                                       Prediction::mu, Prediction::score};

std::vector<float> some_images(std::size_t n) {
  std::vector<float> x(n * kShape.size());
  start_noise(3, 0, kShape, x);
  return x;
}

// The images' outputs at their own times, with labels 0, 1, none.
struct Call {
  std::vector<float> x = some_images(3);
  std::vector<double> time = {4, 40, 80};
  std::vector<int> label = {0, 1, kNoLabel};

  std::vector<float> of(Denoiser& denoiser, bool labelled = true) const {
    std::vector<float> out(time.size() * denoiser.out_shape().size());
    denoiser.predict(x, time, labelled ? std::span<const int>(label) : std::span<const int>(), out);
    return out;
  }
};

class GuidanceTest : public testing::Test {
 protected:
  Schedule schedule_ = Schedule::linear(100, 1e-3, 0.1);
  Call call_;
};

TEST_F(GuidanceTest, OfZeroAndOneAreTheNetworkWithoutAndWithLabelsInOneCallOfAsMany) {
  Mixture network(schedule_);
  const std::vector<float> without = call_.of(network, false), with = call_.of(network);
  network.sizes.clear();
  EXPECT_EQ(call_.of(*make_guided(network, 0)), without);
  EXPECT_TRUE(network.labels.empty());
  EXPECT_EQ(call_.of(*make_guided(network, 1)), with);
  EXPECT_EQ(network.labels, call_.label);
  EXPECT_EQ(network.sizes, (std::vector<int>{3, 3}));
  EXPECT_EQ(make_guided(network, 1)->max_batch(), 16);
}

TEST_F(GuidanceTest, CallsOnceForBothAndHalvesTheBatch) {
  Mixture network(schedule_);
  const auto guided = make_guided(network, 2.5);
  call_.of(*guided);
  EXPECT_EQ(network.sizes, (std::vector<int>{6}));
  EXPECT_EQ(network.labels, (std::vector<int>{kNoLabel, kNoLabel, kNoLabel, 0, 1, kNoLabel}));
  EXPECT_EQ(guided->max_batch(), 8);
}

// Whatever the network's prediction, the output read as eps is -b ((1 - w) score + w score of the
// class). Outputs are floats, off by 6e-8 of their size, which reading x0 and mu divides by as
// little as c_x0 (1 - alpha_bar)^(1/2) / alpha_bar^(1/2) > 0.01 of the first steps: 1e-4 times w.
TEST_F(GuidanceTest, HasTheScoreThatTheMixtureSays) {
  constexpr double kWeight = 3, kTol = 3e-4;
  for (const Prediction prediction : kPredictions) {
    Mixture network(schedule_, prediction);
    const std::vector<float> out = call_.of(*make_guided(network, kWeight));
    for (std::size_t i = 0; i < out.size(); ++i) {
      const std::size_t n = i / kShape.size();
      const At at(schedule_, call_.time[n]);
      const std::span<const float> image = std::span(call_.x).subspan(n * 4, 4);
      const Linear eps = eps_from(schedule_, static_cast<int>(call_.time[n]) + 1, prediction);
      const double none = at.score_of(kNoLabel, image, i % 4);
      const double with = at.score_of(call_.label[n], image, i % 4);
      const double want = -at.b * (none + kWeight * (with - none));
      EXPECT_NEAR(eps.x * call_.x[i] + eps.out * out[i], want, kTol)
          << to_string(prediction) << " " << i;
    }
  }
}

// grad log p(x) + s grad log p(y | x) is (1 - s) grad log p(x) + s grad log p(x | y): with the best
// classifier the two guidances are one, for every prediction. Tolerance as above.
TEST_F(GuidanceTest, ByTheBestClassifierIsClassifierFreeGuidance) {
  constexpr double kScale = 3, kTol = 3e-4;
  Bayes classifier(schedule_);
  for (const Prediction prediction : kPredictions) {
    Mixture network(schedule_, prediction);
    const auto unconditional = make_guided(network, 0);
    const auto by_classifier =
        make_classifier_guided(*unconditional, classifier, schedule_, prediction, kScale);
    const std::vector<float> free = call_.of(*make_guided(network, kScale));
    const std::vector<float> guided = call_.of(*by_classifier);
    for (std::size_t i = 0; i < free.size(); ++i) {
      const std::size_t n = i / kShape.size();
      const Linear eps = eps_from(schedule_, static_cast<int>(call_.time[n]) + 1, prediction);
      EXPECT_NEAR(eps.out * guided[i], eps.out * free[i], kTol)
          << to_string(prediction) << " " << i;
    }
  }
}

TEST_F(GuidanceTest, ByAClassifierLeavesImagesWithoutLabelsAndScaleZeroAlone) {
  Mixture network(schedule_);
  Bayes classifier(schedule_);
  const std::vector<float> alone = call_.of(network);
  const auto guided = [&](double scale) {
    return call_.of(
        *make_classifier_guided(network, classifier, schedule_, Prediction::eps, scale));
  };
  EXPECT_EQ(guided(0), alone);
  const std::vector<float> two = guided(2);
  EXPECT_NE(two[0], alone[0]);
  EXPECT_TRUE(std::equal(two.begin() + 8, two.end(), alone.begin() + 8));
}

TEST_F(GuidanceTest, ByAClassifierIsNoneWhereTheSignalEnds) {
  const Schedule schedule = Schedule::parse("linear:100,zero_snr=yes");
  ASSERT_EQ(schedule.alpha_bar(100), 0);
  class Zero : public Denoiser {
   public:
    void predict(std::span<const float>, std::span<const double>, std::span<const int>,
                 std::span<float> out) override {
      std::ranges::fill(out, 0.25f);
    }
    Shape shape() const override { return kShape; }
    int max_batch() const override { return 16; }
  } network;
  Bayes classifier(schedule);
  const auto guided =
      make_classifier_guided(network, classifier, schedule, Prediction::v, /*scale=*/5);
  call_.time = {99, 99, 98};
  const std::vector<float> out = call_.of(*guided);
  for (std::size_t i = 0; i < 8; ++i) EXPECT_EQ(out[i], 0.25f);
}

TEST_F(GuidanceTest, ByAClassifierRefusesUnknownClassesAndShapes) {
  Mixture network(schedule_);
  Bayes classifier(schedule_);
  const auto guided = make_classifier_guided(network, classifier, schedule_, Prediction::eps, 1);
  call_.label = {0, 2, 1};
  try {
    call_.of(*guided);
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("got class 2, expected 0..1"));
  }
}

TEST_F(GuidanceTest, ByABadVersionGoesFromTheWeakToTheStrong) {
  const Schedule other = Schedule::linear(100, 2e-3, 0.2);
  Mixture strong(schedule_), weak(other);
  const std::vector<float> good = call_.of(strong), bad = call_.of(weak);
  const std::vector<float> out = call_.of(*make_autoguided(strong, weak, 2));
  // Two roundings to float of numbers below 8.
  for (std::size_t i = 0; i < out.size(); ++i) EXPECT_NEAR(out[i], 2 * good[i] - bad[i], 1e-6);
  weak.sizes.clear();
  EXPECT_EQ(call_.of(*make_autoguided(strong, weak, 1)), good);
  EXPECT_TRUE(weak.sizes.empty());
}

TEST_F(GuidanceTest, TakesAVarianceFromTheNetworkThatKnowsMore) {
  Mixture learned(schedule_, Prediction::eps, true), fixed(schedule_);
  const std::vector<float> with = call_.of(learned);
  for (const auto& guided : {make_guided(learned, 4), make_autoguided(learned, fixed, 4)}) {
    const std::vector<float> out = call_.of(*guided);
    for (std::size_t i = 4; i < out.size(); i += 8) {
      EXPECT_TRUE(std::equal(out.begin() + static_cast<long>(i),
                             out.begin() + static_cast<long>(i + 4),
                             with.begin() + static_cast<long>(i)));
    }
  }
}

// Deterministic sampling with the guided score of a class: x0 of both classes lie beyond their
// means, away from the other class, the more the higher the weight.
TEST_F(GuidanceTest, PushesSamplesAwayFromTheOtherClass) {
  const Plan plan = parse_plan("ddim:100,clip=0", schedule_, {});
  Mixture network(schedule_);
  double before = -1;
  for (const double weight : {0.0, 1.0, 2.0, 4.0}) {
    std::vector<float> x = some_images(8);
    const auto guided = make_guided(network, weight);
    run_plan(plan, *guided, x, philox_noise(0, 0), {}, std::vector<int>(8, 1));
    double mean = 0;
    for (const float value : x) mean += value / static_cast<double>(x.size());
    EXPECT_GT(mean, before + 0.01) << weight;
    before = mean;
  }
}

}  // namespace
}  // namespace ddpm
