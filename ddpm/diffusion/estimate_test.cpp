#include "ddpm/diffusion/estimate.h"

#include <gtest/gtest.h>

#include <cmath>

#include "ddpm/base/error.h"

namespace ddpm {
namespace {

double term(int t) { return 1.0 / t + t % 3; }

// The mean over u on a fine grid: a term's weight is right to the grid's step over its density,
// 1 / (N K p), which the least p, 0.1 / (T - 1), bounds.
TEST(EstimateTimes, AreUnbiasedForAnyTerms) {
  for (const char* spec : {"linear:13", "cosine:13", "jsd:13", "linear:2"}) {
    const Schedule schedule = Schedule::parse(spec);
    const int T = schedule.T();
    double full = 0;
    for (int t = 2; t <= T; ++t) full += term(t);
    for (const int K : {1, 5, 40}) {
      const EstimateTimes times(schedule, K);
      constexpr int kGrid = 20'000;
      double mean = 0;
      for (int i = 0; i < kGrid; ++i) {
        double estimate = 0, hits = 0;
        int before = 1;
        for (const auto& [t, weight] : times.draw((i + 0.5) / kGrid)) {
          EXPECT_LT(before, t) << spec;
          EXPECT_LE(t, T) << spec;
          before = t;
          estimate += weight * term(t);
          ++hits;
        }
        EXPECT_LE(hits, K);
        mean += estimate / kGrid;
      }
      EXPECT_NEAR(mean, full, 3 * (T - 1) * 10.0 * (T - 1) / (kGrid * K)) << spec << " " << K;
    }
  }
}

// What the best model of N(0, s^2) has: L_{t-1} = half the drop of log(1 + s^2 SNR). Evenly spaced
// t would be off by several times the sum.
TEST(EstimateTimes, KnowWhereTheTermsAreLarge) {
  const Schedule schedule = Schedule::linear();
  for (const double s : {0.1, 0.5, 1.0}) {
    const auto nats = [&](int t) {
      return 0.5 * (std::log1p(s * s * schedule.snr(t - 1)) - std::log1p(s * s * schedule.snr(t)));
    };
    double full = 0;
    for (int t = 2; t <= 1000; ++t) full += nats(t);
    const EstimateTimes times(schedule, 20);
    double square = 0;
    for (int i = 0; i < 100; ++i) {
      double estimate = 0;
      for (const auto& [t, weight] : times.draw((i + 0.5) / 100)) estimate += weight * nats(t);
      square += (estimate - full) * (estimate - full) / 100;
    }
    EXPECT_LT(std::sqrt(square), 0.05 * full) << s;
  }
}

TEST(EstimateTimes, NeedTwoStepsAndATerm) {
  EXPECT_THROW(EstimateTimes(Schedule::linear(1), 3), Error);
  EXPECT_THROW(EstimateTimes(Schedule::linear(10), 0), Error);
  EXPECT_THROW(EstimateTimes(Schedule::linear(10), 3).draw(1), BugError);
}

}  // namespace
}  // namespace ddpm
