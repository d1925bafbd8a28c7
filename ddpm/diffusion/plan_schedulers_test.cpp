// Every trajectory of diffusers' schedulers from a plan.
#include <gtest/gtest.h>

#include "ddpm/diffusion/schedulers_golden_test.h"

namespace ddpm {
namespace {

using golden::value;

// The goldens' README: a double engine with double tables meets x_f64 to 1e-9 relative.
constexpr double kTol = 1e-9;

void expect_times(const value& c, const Plan& plan) {
  const char* key = golden::has(c, "timesteps_f64") ? "timesteps_f64" : "timesteps";
  const auto times = golden::list<double>(c.at(key));
  ASSERT_EQ(static_cast<int>(times.size()), calls_of(plan));
  // `timesteps` are float32: 999 is good to 3e-5, and fractional ones of float32 sigmas to 2e-3.
  for (std::size_t i = 0; i < times.size(); ++i) {
    EXPECT_NEAR(plan[i].time.value(), times[i], 2e-3) << i;
  }
  const double scale = c.at("init_noise_sigma").to_number<double>();  // float32
  EXPECT_NEAR(plan.initial_scale, scale, 1e-4 * scale);
}

void expect_trajectory(const value& c) {
  const Plan plan = golden::plan_of(c);
  expect_times(c, plan);
  const auto steps = golden::list<int>(c.at("steps_recorded"));
  const auto states = golden::list<Vector>(c.at("x_f64"));
  const std::vector<int> draws = golden::draws_before(plan);
  Vector x(6);
  for (int i = 0; i < 6; ++i) x[i] = golden::start(i);
  std::size_t seen = 0;
  const auto network = [&](const Vector& in, double time) { return golden::outputs(c, in, time); };
  const auto noise = [&](int row, int i) { return golden::noise(draws[row], i); };
  run(plan, network, noise, x, [&](int row, const Vector& state, const Vector&) {
    if (seen == steps.size() || row != steps[seen]) return;
    for (std::size_t i = 0; i < 6; ++i) {
      golden::expect_close(state[i], states[seen][i], kTol, fmt::format("step {}", row));
    }
    ++seen;
  });
  EXPECT_EQ(seen, steps.size());
}

TEST(PlanSchedulers, ReproduceDiffusersTrajectories) {
  const auto cases = golden::scheduler_cases();
  for (const value& c : cases) {
    SCOPED_TRACE(golden::text(c.at("id")) + ": " + golden::plan_spec(c));
    expect_trajectory(c);
  }
  EXPECT_GE(cases.size(), 56U);
}

}  // namespace
}  // namespace ddpm
