#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cmath>
#include <functional>
#include <limits>

#include "ddpm/base/error.h"
#include "ddpm/diffusion/plan.h"
#include "ddpm/diffusion/random_schedule_test.h"

namespace ddpm {
namespace {

double total(const JumpCosts& costs, const std::vector<int>& times) {
  double sum = 0;
  for (std::size_t i = 0; i < times.size(); ++i) {
    sum += costs.at(i + 1 < times.size() ? times[i + 1] : 0, times[i]);
  }
  return sum;
}

// The least cost of all ways from t to 0 in `calls` jumps.
double least(const JumpCosts& costs, int t, int calls) {
  if (calls == 1) return costs.at(0, t);
  double best = std::numeric_limits<double>::infinity();
  for (int s = calls - 1; s < t; ++s) {
    best = std::min(best, costs.at(s, t) + least(costs, s, calls - 1));
  }
  return best;
}

RC_GTEST_PROP(OptimalTimes, CostAsLittleAsTheBestOfAllPaths, ()) {
  const int T = *rc::gen::inRange(1, 9);
  JumpCosts costs(T);
  for (int t = 1; t <= T; ++t) {
    for (int s = 0; s < t; ++s) costs.at(s, t) = any_in(-1, 5);
  }
  const int calls = *rc::gen::inRange(1, T + 1);
  const std::vector<int> times = optimal_times(costs, calls);
  RC_ASSERT(static_cast<int>(times.size()) == calls && times.front() == T);
  for (int i = 1; i < calls; ++i) RC_ASSERT(times[i] < times[i - 1] && times[i] >= 1);
  RC_ASSERT(std::abs(total(costs, times) - least(costs, T, calls)) <= 1e-14 * 40);
}

TEST(OptimalTimes, ImpossibleCountsAreRefused) {
  EXPECT_THROW(optimal_times(JumpCosts(5), 0), Error);
  EXPECT_THROW(optimal_times(JumpCosts(5), 6), Error);
  EXPECT_THROW(optimal_times(JumpCosts(4000), 4000), Error);  // minutes
  EXPECT_THROW(JumpCosts(0), BugError);
  EXPECT_THROW(JumpCosts(5).at(2, 2), BugError);
}

// For N(0, s^2) the best network errs by E |eps - eps_theta|^2 = Var(eps | x_t), and then x_s given
// x_t is normal with variance beta-tilde + c_x0^2 Var(x0 | x_t): the KL to it, averaged over x0, is
// half the log of the ratio.
TEST(BoundCosts, AreTheKlOfTheGaussianWhoseNetworkIsKnown) {
  const Schedule s = Schedule::linear(50, 1e-3, 0.2);
  const double s2 = 0.3;
  std::vector<double> error;
  for (int t = 1; t <= 50; ++t) {
    error.push_back(s.alpha_bar(t) * s2 / (s.alpha_bar(t) * s2 + s.one_minus_alpha_bar(t)));
  }
  const JumpCosts costs = bound_costs(s, error);
  for (const auto& [from, to] : {std::pair(50, 1), {50, 49}, {20, 7}, {2, 1}}) {
    const double a = s.alpha_bar(from), b = s.alpha_bar(to);
    const double variance_x0 = s2 * (1 - a) / (a * s2 + 1 - a);  // given x_t
    const double beta = 1 - a / b, tilde = beta * (1 - b) / (1 - a);
    const double c_x0 = std::sqrt(b) * beta / (1 - a);
    const double want = std::log((tilde + c_x0 * c_x0 * variance_x0) / tilde) / 2;
    EXPECT_NEAR(costs.at(to, from), want, 1e-12 * (1 + want)) << from << ' ' << to;
  }
  const double v = s2 * (1 - s.alpha_bar(9)) / (s.alpha_bar(9) * s2 + 1 - s.alpha_bar(9));
  const double want = std::log(2 * 3.14159265358979 * std::exp(1) * v) / 2 - std::log(2 / 255.0);
  EXPECT_NEAR(costs.at(0, 9), want, 1e-12 * want);
}

TEST(BoundCosts, BadMeasurementsAreRefused) {
  const Schedule s = Schedule::linear(3, 0.1, 0.2);
  EXPECT_THROW(bound_costs(s, std::vector<double>{0.1, 0.2}), Error);
  EXPECT_THROW(bound_costs(s, std::vector<double>{0.1, -0.2, 0.1}), Error);
  EXPECT_THROW(bound_costs(s, std::vector<double>{0.1, std::nan(""), 0.1}), Error);
  EXPECT_THROW(bound_costs(Schedule::jsd(3), std::vector<double>(3, 0.1)), Error);
}

// The spec uses what the model's view has measured, and costs no more than the other spacings.
TEST(PlanSpec, OptimalSpacingTakesTheModelsMeasurements) {
  const Schedule s = Schedule::cosine(100);
  ModelView view;
  for (int t = 1; t <= 100; ++t) view.eps_error.push_back(1 / (1 + 0.3 * t));
  const JumpCosts costs = bound_costs(s, view.eps_error);
  const auto times_of = [](const Plan& plan) {
    std::vector<int> times;
    for (const Row& row : plan) times.push_back(static_cast<int>(*row.time) + 1);
    return times;
  };
  const double best = total(costs, times_of(parse_plan("ddpm:12,spacing=optimal", s, view)));
  EXPECT_LT(best, total(costs, times_of(parse_plan("ddpm:12,spacing=linspace", s, view))));
  EXPECT_EQ(times_of(parse_plan("dpmpp:12,spacing=optimal", s, view)), optimal_times(costs, 12));
}

}  // namespace
}  // namespace ddpm
