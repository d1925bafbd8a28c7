#include "ddpm/diffusion/plan.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cmath>

#include "ddpm/base/error.h"
#include "ddpm/diffusion/plan_interpreter_test.h"
#include "ddpm/diffusion/random_schedule_test.h"
#include "ddpm/diffusion/variance.h"

namespace ddpm {
namespace {

constexpr Prediction kAll[] = {Prediction::eps, Prediction::x0, Prediction::v, Prediction::mu,
                               Prediction::score};

ModelView view_of(Prediction prediction, Variance variance = Variance::fixed_small,
                  EpsFrom eps_from = EpsFrom::limited_x0) {
  return {prediction, variance, Limit::no_limit(), eps_from};
}

std::vector<int> countdown(int T) { return spaced_times(T, T, Spacing::uniform); }

int time_of(const Row& row) { return static_cast<int>(*row.time) + 1; }

// What multiplies the register in the row's update.
double coefficient(const Row& row, Reg reg) {
  double sum = 0;
  for (const Term& term : row.updates.at(0).terms) sum += term.reg == reg ? term.c : 0;
  return sum;
}

// x' = a_x x + a_x0 x0 + a_z z, eps eliminated.
struct OneStep {
  double a_x, a_x0, a_z;
};

OneStep as_x_and_x0(const Row& row) {
  EXPECT_EQ(row.e_out, 0) << "eps is not re-derived from x0";
  const double c_eps = coefficient(row, Reg::eps);
  return {coefficient(row, Reg::x) + c_eps * row.e_x, coefficient(row, Reg::x0) + c_eps * row.e_x0,
          row.updates.at(0).c_z};
}

std::vector<int> any_times(int T) {
  const int calls = *rc::gen::inRange(1, T + 1);
  std::vector<int> times =
      spaced_times(T, calls, *rc::gen::element(Spacing::uniform, Spacing::quadratic));
  const int shift = *rc::gen::inRange(0, T - times.front() + 1);  // the last time need not be 1
  for (int& t : times) t += shift;
  return times;
}

// Song et al. 2020, Sec. 4.1: DDIM over all T steps with eta = 1 is the DDPM sampler. The
// coefficient of x0 is a difference of two numbers no larger than 1 + c_eps e_x: 9 roundings
// of 1.1e-16 each.
RC_GTEST_PROP(Plan, DdimOverAllStepsWithEtaOneIsAncestral, ()) {
  const Schedule s = any_schedule();
  for (const Row& row : ddim_plan(s, countdown(s.T()), 1, view_of(Prediction::eps))) {
    const int t = time_of(row);
    const Posterior q = s.posterior(t);
    const OneStep step = as_x_and_x0(row);
    const double tolerance = 1e-15 * (1 + coefficient(row, Reg::eps) * row.e_x);
    RC_ASSERT(std::abs(step.a_x - q.c_xt) <= tolerance);
    RC_ASSERT(std::abs(step.a_x0 - q.c_x0) <= tolerance);
    RC_ASSERT(std::abs(step.a_z * step.a_z - q.variance) <= 1e-15 * q.variance);
  }
}

// The re-spaced process is a process of its own, with betas 1 - alpha_bar_t / alpha_bar_s.
TEST(Plan, RespacedPlanIsTheFullPlanOfTheRespacedProcess) {
  const Schedule s = Schedule::linear();
  const std::vector<int> times = spaced_times(1000, 50, Spacing::uniform);
  std::vector<double> betas;
  for (int i = 49; i >= 0; --i) {
    const long double b = i + 1 < 50 ? s.alpha_bar(times[i + 1]) : 1;
    betas.push_back(static_cast<double>(1 - s.alpha_bar(times[i]) / b));
  }
  const Schedule coarse = Schedule::from_betas(betas);
  for (const Variance variance : {Variance::fixed_small, Variance::fixed_large}) {
    const ModelView view = view_of(Prediction::eps, variance);
    const Plan got = ddpm_plan(s, times, view), want = ddpm_plan(coarse, countdown(50), view);
    for (int i = 0; i < 50; ++i) {
      // 1 - alpha_bar_1 = 1e-4 in the last row: alpha_bar's rounding, 1.1e-16, is 1e-12 of it.
      const double tolerance = 4e-12;
      EXPECT_NEAR(coefficient(got[i], Reg::x0), coefficient(want[i], Reg::x0), tolerance) << i;
      EXPECT_NEAR(coefficient(got[i], Reg::x), coefficient(want[i], Reg::x), tolerance) << i;
      EXPECT_NEAR(got[i].updates[0].c_z, want[i].updates[0].c_z, tolerance) << i;
      EXPECT_NEAR(got[i].r_out / want[i].r_out, 1, tolerance) << i;
    }
  }
}

RC_GTEST_PROP(Plan, AncestralOverAllStepsHasThePosteriorOfTheSchedule, ()) {
  const Schedule s = any_schedule();
  for (const Row& row : ddpm_plan(s, countdown(s.T()), view_of(Prediction::eps))) {
    const Posterior q = s.posterior(time_of(row));
    RC_ASSERT(std::abs(coefficient(row, Reg::x0) - q.c_x0) <= 1e-15 * q.c_x0);
    RC_ASSERT(std::abs(coefficient(row, Reg::x) - q.c_xt) <= 1e-15 * q.c_xt);
    RC_ASSERT(std::abs(row.updates[0].c_z - std::sqrt(q.variance)) <= 1e-15);
  }
}

// Eq. (11): x' = (x - beta / sqrt(1 - alpha_bar) eps) / sqrt(alpha) + sigma z. Nothing cancels: a
// dozen roundings.
RC_GTEST_PROP(Plan, AncestralRowForEpsIsEquation11, ()) {
  const Schedule s = any_schedule();
  for (const Row& row : ddpm_plan(s, countdown(s.T()), view_of(Prediction::eps))) {
    const int t = time_of(row);
    const Step step = as_step(row);
    const double x = 1 / std::sqrt(s.alpha(t));
    const double eps = -x * s.beta(t) / std::sqrt(s.one_minus_alpha_bar(t));
    RC_ASSERT(std::abs(step.x - x) <= 2e-15 * x);
    RC_ASSERT(std::abs(step.out - eps) <= 2e-15 * -eps);
  }
}

// If x0 were known, x_s would keep its marginal: N(sqrt(alpha_bar_s) x0, 1 - alpha_bar_s). For the
// ancestral sampler with fixed_small and for DDIM with any eta, whatever the times.
RC_GTEST_PROP(Plan, EveryStepKeepsTheMarginalOfQ, ()) {
  const Schedule s = any_schedule();
  const std::vector<int> times = any_times(s.T());
  const double eta = any_in(0, 1);
  for (const Plan& plan : {ddpm_plan(s, times, view_of(Prediction::eps)),
                           ddim_plan(s, times, eta, view_of(Prediction::eps))}) {
    for (std::size_t i = 0; i < plan.size(); ++i) {
      const int next = i + 1 < times.size() ? times[i + 1] : 0;
      const OneStep step = as_x_and_x0(plan[i]);
      const double a_t = s.alpha_bar(times[i]), var_t = s.one_minus_alpha_bar(times[i]);
      const double mean = step.a_x * std::sqrt(a_t) + step.a_x0;
      const double variance = step.a_x * step.a_x * var_t + step.a_z * step.a_z;
      // a_x0 may have cancelled between numbers of size e_x.
      const double lost = 1e-15 * (2 + coefficient(plan[i], Reg::eps) * plan[i].e_x);
      RC_ASSERT(std::abs(mean - std::sqrt(s.alpha_bar(next))) <= lost);
      RC_ASSERT(std::abs(variance - s.one_minus_alpha_bar(next)) <= 4e-15);
    }
  }
}

// With fixed_large the noise is the re-spaced beta.
RC_GTEST_PROP(Plan, FixedLargeIsTheRespacedBeta, ()) {
  const Schedule s = any_schedule();
  const std::vector<int> times = any_times(s.T());
  const Plan plan = ddpm_plan(s, times, view_of(Prediction::x0, Variance::fixed_large));
  for (std::size_t i = 0; i + 1 < times.size(); ++i) {
    const double beta = 1 - s.alpha_bar(times[i]) / s.alpha_bar(times[i + 1]);
    RC_ASSERT(std::abs(plan[i].updates[0].c_z * plan[i].updates[0].c_z - beta) <= 1e-13);
  }
}

// sigma = c_z exp(z_v v), log sigma^2 = offset + slope v: variance.h's, over all steps.
RC_GTEST_PROP(Plan, NoiseHasTheVarianceOfItsKind, ()) {
  const Schedule s = any_schedule();
  RC_PRE(s.T() >= 2);
  ModelView view = view_of(Prediction::eps);
  for (int t = 1; t <= s.T(); ++t) view.mean_eps_squared.push_back(any_in(0, 1.2));
  const auto optimal = optimal_variances(s, view.mean_eps_squared);
  for (const Variance kind : {Variance::fixed_small, Variance::fixed_large, Variance::learned,
                              Variance::learned_range, Variance::optimal}) {
    view.variance = kind;
    const Plan plan = ddpm_plan(s, countdown(s.T()), view);
    for (int t = 2; t <= s.T(); ++t) {
      const Update& update = plan[s.T() - t].updates[0];
      const LogVariance want = log_variance_of(s, t, kind, optimal);
      // Logarithms of numbers down to 1e-21 are good to 48 * 1e-16 or so.
      RC_ASSERT(std::abs(2 * std::log(update.c_z) - want.offset) <= 4e-14);
      RC_ASSERT(std::abs(2 * update.z_v - want.slope) <= 4e-14);
    }
  }
}

// With times left out, the variance is that of the jump.
TEST(Plan, OptimalVarianceOfAJumpHasTheJumpsPosterior) {
  const Schedule s = Schedule::linear();
  ModelView view = view_of(Prediction::eps, Variance::optimal);
  view.mean_eps_squared.assign(1000, 0.8);
  const Row row = ddpm_plan(s, {700, 300}, view).at(0);
  const double a = s.alpha_bar(700), b = s.alpha_bar(300), beta = 1 - a / b;
  const double c_x0 = std::sqrt(b) * beta / (1 - a);
  const double of_x0 = std::min((1 - a) / a * 0.2, 1.0);
  EXPECT_NEAR(row.updates[0].c_z * row.updates[0].c_z,
              beta * (1 - b) / (1 - a) + c_x0 * c_x0 * of_x0, 1e-13);
}

RC_GTEST_PROP(Plan, LastRowIsX0WithoutNoise, ()) {
  const Schedule s = any_schedule();
  const std::vector<int> times = any_times(s.T());
  const Variance variance = *rc::gen::element(Variance::fixed_small, Variance::fixed_large);
  const ModelView view = view_of(Prediction::v, variance);
  for (const Plan& plan : {ddpm_plan(s, times, view), ddim_plan(s, times, any_in(0, 1), view)}) {
    const Row& last = plan.back();
    RC_ASSERT(last.updates[0].c_z == 0);
    RC_ASSERT(coefficient(last, Reg::x0) == 1);
    RC_ASSERT(coefficient(last, Reg::x) == 0 && coefficient(last, Reg::eps) == 0);
  }
}

// Without a limit, eps read from the output and eps re-derived from x0 are the same map of (x,
// output). Both come through factors of size e_x, e_out, r_x, r_out: 16 roundings of their
// products.
RC_GTEST_PROP(Plan, RawAndRederivedEpsAgreeWithoutALimit, ()) {
  const Schedule s = any_schedule();
  const std::vector<int> times = any_times(s.T());
  for (const Prediction p : kAll) {
    const Plan raw = ddim_plan(s, times, 0.3, view_of(p, Variance::fixed_small, EpsFrom::raw));
    const Plan derived = ddim_plan(s, times, 0.3, view_of(p));
    for (std::size_t i = 0; i < raw.size(); ++i) {
      const Row& row = derived[i];
      const double c = coefficient(row, Reg::eps), c_x0 = coefficient(row, Reg::x0);
      const Step a = as_step(raw[i]), b = as_step(row);
      RC_ASSERT(raw[i].e_x0 == 0 && row.e_out == 0);
      const double x_scale =
          c * (row.e_x + std::abs(row.e_x0 * row.r_x)) + std::abs(c_x0 * row.r_x);
      const double out_scale = c * std::abs(row.e_x0 * row.r_out) + std::abs(c_x0 * row.r_out);
      RC_ASSERT(std::abs(a.x - b.x) <= 16 * 0x1p-53 * x_scale);
      RC_ASSERT(std::abs(a.out - b.out) <= 16 * 0x1p-53 * out_scale);
    }
  }
}

// A limited x0 changes the re-derived eps and leaves the raw one alone.
TEST(Plan, LimitReachesOnlyTheRederivedEps) {
  const Schedule s = Schedule::linear(10);
  for (const EpsFrom from : {EpsFrom::raw, EpsFrom::limited_x0}) {
    const ModelView view{Prediction::eps, Variance::fixed_small, Limit::clip(0.5), from};
    Row row = ddim_plan(s, {10}, 0, view).at(0);
    row.updates = {{.dst = Reg::x, .terms = {{Reg::eps, 1}}}};  // x' = eps
    Vector x = {2};
    run_row(row, 0, [](const Vector& in, double) { return Vector(in.size(), -3.0); }, {}, x);
    const double rederived =
        (2 - std::sqrt(s.alpha_bar(10)) * 0.5) / std::sqrt(s.one_minus_alpha_bar(10));
    EXPECT_NEAR(x[0], from == EpsFrom::raw ? -3 : rederived, 1e-14);
  }
}

TEST(Plan, NetworksAreFedZeroBasedTimes) {
  const Plan plan = ddpm_plan(Schedule::linear(), {1000, 500, 1}, {});
  EXPECT_EQ(plan[0].time, 999);
  EXPECT_EQ(plan[2].time, 0);
  EXPECT_EQ(plan[0].c_in, 1);
  EXPECT_EQ(calls_of(plan), 3);
  EXPECT_EQ(calls_of({}), 0);
}

TEST(Plan, NoNoiseWithEtaZero) {
  for (const Row& row :
       ddim_plan(Schedule::cosine(), spaced_times(1000, 50, Spacing::uniform), 0, {})) {
    EXPECT_EQ(row.updates[0].c_z, 0);
  }
}

TEST(Plan, ImpossibleTimesAndEtaAreRefused) {
  const Schedule s = Schedule::linear(10);
  for (const std::vector<int>& times :
       {std::vector<int>{}, {11}, {0}, {5, 5}, {3, 4}, {3, 0}, {3, -1}}) {
    EXPECT_THROW(ddpm_plan(s, times, {}), Error);
    EXPECT_THROW(ddim_plan(s, times, 0, {}), Error);
  }
  for (const double eta : {-0.1, 1.1, std::nan("")})
    EXPECT_THROW(ddim_plan(s, {5}, eta, {}), Error);
}

}  // namespace
}  // namespace ddpm
