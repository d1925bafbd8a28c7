#include "ddpm/diffusion/time_sampler.h"

#include <gtest/gtest.h>

#include <cmath>

#include "ddpm/base/error.h"
#include "ddpm/base/philox.h"

namespace ddpm {
namespace {

TEST(TimeSampler, UniformIsTheDrawOfTheFormat) {
  const auto sampler = make_time_sampler("uniform", Schedule::linear(1000));
  for (std::uint64_t position = 0; position < 50; ++position) {
    const NoiseKey key{.seed = 9, .purpose = Purpose::train_time, .image = position};
    const TimeDraw d = sampler->draw(9, position, 8);
    EXPECT_EQ(d.t, static_cast<int>(1 + uniform_below(key, 1000)));
    EXPECT_EQ(d.weight, 1);
  }
}

TEST(TimeSampler, AntitheticTimesOfABatchAreEvenlySpaced) {
  const auto sampler = make_time_sampler("antithetic", Schedule::linear(1000));
  for (std::uint64_t step = 0; step < 20; ++step) {
    int before = 0;
    for (std::uint64_t place = 0; place < 10; ++place) {
      const int t = sampler->draw(1, step * 10 + place, 10).t;
      const int gap = place > 0 ? t - before : 100;
      EXPECT_NEAR(gap, 100, 1) << step;
      EXPECT_EQ((t - 1) / 100, static_cast<int>(place));
      before = t;
    }
  }
  // Each t is as likely as another: 10,000 draws a hundredth, five binomial standard deviations.
  std::vector<int> seen(10);
  const auto small = make_time_sampler("antithetic", Schedule::linear(10));
  for (std::uint64_t position = 0; position < 30'000; ++position) {
    ++seen[small->draw(2, position, 3).t - 1];
  }
  for (const int n : seen) EXPECT_NEAR(n, 3000, 5 * std::sqrt(3000.0));
}

class Warm {
 public:
  explicit Warm(const std::string& text) : sampler_(make_time_sampler(text, Schedule::linear(5))) {
    for (int round = 0; round < 3; ++round) {
      for (int t = 1; t <= 5; ++t) {
        const double loss = t * (1 + 0.1 * round);
        sampler_->observe(std::span(&t, 1), std::span(&loss, 1));
      }
    }
  }
  TimeSampler* operator->() { return sampler_.get(); }

 private:
  std::unique_ptr<TimeSampler> sampler_;
};

// sum_t p_t weight_t f(t) = mean of f: 40,000 draws of weight * t^2, whose standard deviation is
// below 11.
TEST(TimeSampler, LossSecondMomentIsUnbiasedAndLooksWhereTheLossIs) {
  Warm sampler("loss_second_moment,history=3");
  double mean = 0;
  std::vector<int> seen(6);
  constexpr int kDraws = 40'000;
  for (int i = 0; i < kDraws; ++i) {
    const TimeDraw d = sampler->draw(4, i, 16);
    mean += d.weight * d.t * d.t / kDraws;
    ++seen[d.t];
  }
  EXPECT_NEAR(mean, 11, 5 * 11 / std::sqrt(kDraws));
  EXPECT_NEAR(double(seen[5]) / seen[1], 5, 0.3);  // p as the root mean square: t : 1
}

TEST(TimeSampler, LossSecondMomentIsUniformUntilEveryTimeHasItsHistory) {
  Warm sampler("loss_second_moment,history=4");
  for (int i = 0; i < 20; ++i) EXPECT_EQ(sampler->draw(4, i, 16).weight, 1);
  const auto untouched = make_time_sampler("loss_second_moment", Schedule::linear(5));
  EXPECT_EQ(untouched->draw(4, 1, 1).weight, 1);
  Warm zeros("loss_second_moment,history=1");
  for (int t = 1; t <= 5; ++t) {
    const double loss = 0;
    zeros->observe(std::span(&t, 1), std::span(&loss, 1));
  }
  EXPECT_EQ(zeros->draw(4, 1, 1).weight, 1) << "no loss anywhere says nothing of where to look";
}

TEST(TimeSampler, StateGoesOnWhereItWas) {
  Warm sampler("loss_second_moment,history=3");
  const auto copy = make_time_sampler("loss_second_moment,history=3", Schedule::linear(5));
  copy->restore(sampler->state());
  const int t = 2;
  const double loss = 40;
  sampler->observe(std::span(&t, 1), std::span(&loss, 1));  // drops the oldest of t = 2
  copy->observe(std::span(&t, 1), std::span(&loss, 1));
  EXPECT_EQ(copy->state(), sampler->state());
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(copy->draw(3, i, 1).t, sampler->draw(3, i, 1).t);
    EXPECT_EQ(copy->draw(3, i, 1).weight, sampler->draw(3, i, 1).weight);
  }
  EXPECT_TRUE(make_time_sampler("uniform", Schedule::linear(5))->state().empty());
}

TEST(TimeSampler, ForeignStateIsBadInput) {
  const auto sampler = make_time_sampler("loss_second_moment,history=1", Schedule::linear(2));
  for (const std::vector<double>& state : {std::vector<double>{},
                                           {1, 2, 1},
                                           {2, 0, 0, 0},
                                           {0.5, 0, 0, 0},
                                           {-1, 0, 0, 0},
                                           {1, std::nan(""), 0, 0}}) {
    try {
      sampler->restore(state);
      ADD_FAILURE() << state.size();
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), ExitCode::bad_input);
    }
  }
  EXPECT_NO_THROW(sampler->restore(std::vector<double>{1, 3, 0, 0}));
  EXPECT_THROW(make_time_sampler("uniform", Schedule::linear(2))->restore(std::vector<double>{1}),
               Error);
}

// The log of sigma of the drawn times is normal: mean and deviation of 20,000 draws within five
// standard errors and the schedule's spacing (below 0.02 there).
TEST(TimeSampler, LogNormalDrawsSigma) {
  const Schedule s = Schedule::linear();
  const auto sampler = make_time_sampler("log_normal,mean=-0.5,std=0.8", s);
  constexpr int kDraws = 20'000;
  double mean = 0, square = 0;
  for (int i = 0; i < kDraws; ++i) {
    const TimeDraw d = sampler->draw(8, i, 4);
    EXPECT_EQ(d.weight, 1);
    const double log_sigma = -std::log(s.snr(d.t)) / 2;
    mean += log_sigma / kDraws;
    square += log_sigma * log_sigma / kDraws;
  }
  EXPECT_NEAR(mean, -0.5, 5 * 0.8 / std::sqrt(kDraws) + 0.01);
  EXPECT_NEAR(std::sqrt(square - mean * mean), 0.8, 5 * 0.8 / std::sqrt(2.0 * kDraws) + 0.01);
}

TEST(TimeSampler, LogNormalNeverDrawsPureNoise) {
  const auto sampler = make_time_sampler("log_normal,mean=50,std=1", Schedule::jsd(10));
  EXPECT_EQ(sampler->draw(8, 1, 1).t, 9);
  EXPECT_EQ(make_time_sampler("log_normal,mean=-50,std=1", Schedule::jsd(10))->draw(8, 1, 1).t, 1);
  EXPECT_EQ(make_time_sampler("log_normal", Schedule::jsd(1))->draw(8, 1, 1).t, 1);
}

TEST(TimeSampler, ParseRefusesByName) {
  const std::pair<const char*, const char*> table[] = {
      {"unifrom", "try 'uniform'"},
      {"uniform:5", "expected uniform alone"},
      {"antithetic,x=1", "expected antithetic alone"},
      {"loss_second_moment:5", "no number"},
      {"loss_second_moment,history=0", "history = 0"},
      {"loss_second_moment,history=2.5", "history = 2.5"},
      {"loss_second_moment,uniform=0", "uniform = 0"},
      {"loss_second_moment,hist=1", "expected history or uniform"},
      {"log_normal,std=0", "std = 0"}};
  for (const auto& [text, part] : table) {
    try {
      make_time_sampler(text, Schedule::linear(5));
      ADD_FAILURE() << "accepted " << text;
    } catch (const Error& e) {
      EXPECT_NE(std::string(e.what()).find(part), std::string::npos) << e.what();
    }
  }
}

}  // namespace
}  // namespace ddpm
