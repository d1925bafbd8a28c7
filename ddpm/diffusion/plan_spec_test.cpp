#include <gtest/gtest.h>

#include <tuple>

#include "ddpm/base/error.h"
#include "ddpm/diffusion/plan.h"

namespace ddpm {
namespace {

// Every number of a plan, in order.
std::vector<double> numbers(const Plan& plan) {
  std::vector<double> all;
  for (const Row& row : plan) {
    all.insert(all.end(),
               {row.time.value_or(-1), row.c_in, row.r_x, row.r_out, row.e_x, row.e_out, row.e_x0,
                static_cast<double>(row.limit.kind), row.limit.range, row.limit.quantile});
    for (const Update& update : row.updates) {
      all.insert(all.end(), {static_cast<double>(update.dst), update.c_z, update.z_v, update.snr});
      for (const Term& term : update.terms) {
        all.insert(all.end(), {static_cast<double>(term.reg), term.c});
      }
    }
  }
  return all;
}

struct SpecCase {
  std::string spec;
  Plan want;
};

TEST(PlanSpec, SaysWhichPlan) {
  const Schedule s = Schedule::linear();
  const ModelView usual;
  ModelView small = usual, raw = usual, unlimited = usual, wide = usual, dynamic = usual;
  dynamic.limit = Limit::dynamic(0.9, 2);
  small.variance = Variance::fixed_small;
  raw.eps_from = EpsFrom::raw;
  unlimited.limit = Limit::no_limit();
  wide.limit = Limit::clip(1.5);
  const auto uniform = [](int calls) { return spaced_times(1000, calls, Spacing::uniform); };
  const SpecCase table[] = {
      {"ddpm", ddpm_plan(s, uniform(1000), usual)},
      {"ddpm:1000", ddpm_plan(s, uniform(1000), usual)},
      {"ddpm:50,variance=fixed_small", ddpm_plan(s, uniform(50), small)},
      {"ddpm:50,variance=fixed_large", ddpm_plan(s, uniform(50), usual)},
      {"ddpm:7,spacing=quadratic", ddpm_plan(s, spaced_times(1000, 7, Spacing::quadratic), usual)},
      {"ddim", ddim_plan(s, uniform(50), 0, usual)},
      {"ddim:20", ddim_plan(s, uniform(20), 0, usual)},
      {"ddim:20,eta=0.5", ddim_plan(s, uniform(20), 0.5, usual)},
      {"ddim:20,eps=raw", ddim_plan(s, uniform(20), 0, raw)},
      {"ddim:20,eps=limited_x0", ddim_plan(s, uniform(20), 0, usual)},
      {"ddim:20,clip=0", ddim_plan(s, uniform(20), 0, unlimited)},
      {"ddim:20,clip=1.5", ddim_plan(s, uniform(20), 0, wide)},
      {"ddim:20,threshold=0.9,threshold_max=2", ddim_plan(s, uniform(20), 0, dynamic)},
      {"ddim,times=999/500/0", ddim_plan(s, {1000, 501, 1}, 0, usual)},
      {"ddim:4,spacing=leading,offset=1", ddim_plan(s, {752, 502, 252, 2}, 0, usual)},
      {"ddim:4,spacing=linspace", ddim_plan(s, {1000, 667, 334, 1}, 0, usual)},
      {"ddim:4,spacing=trailing", ddim_plan(s, {1000, 750, 500, 250}, 0, usual)},
      {"ddim:20,compat=none", ddim_plan(s, uniform(20), 0, usual)},
      {"ddim:20,eta=1,spacing=quadratic",
       ddim_plan(s, spaced_times(1000, 20, Spacing::quadratic), 1, usual)},
  };
  for (const auto& [spec, want] : table) {
    EXPECT_EQ(numbers(parse_plan(spec, s, usual)), numbers(want)) << spec;
  }
  EXPECT_NE(numbers(parse_plan("ddim:20,clip=0", s, usual)),
            numbers(parse_plan("ddim:20", s, usual)));
}

TEST(PlanSpec, LeavesTheModelsViewAloneWhereItIsSilent) {
  const Schedule s = Schedule::cosine(100);
  const ModelView view{Prediction::v, Variance::fixed_small, Limit::clip(2), EpsFrom::raw};
  const auto times = spaced_times(100, 10, Spacing::uniform);
  EXPECT_EQ(numbers(parse_plan("ddim:10", s, view)), numbers(ddim_plan(s, times, 0, view)));
  EXPECT_EQ(numbers(parse_plan("ddpm:10", s, view)), numbers(ddpm_plan(s, times, view)));
}

TEST(PlanSpec, ShortSchedulesLowerTheUsualCalls) {
  const Schedule s = Schedule::linear(20);
  EXPECT_EQ(calls_of(parse_plan("ddim", s, {})), 20);
  EXPECT_EQ(calls_of(parse_plan("ddpm", s, {})), 20);
}

TEST(PlanSpec, MistakesAreRefusedByNameWithWhatToTry) {
  const Schedule s = Schedule::linear();
  const std::tuple<const char*, const char*> table[] = {
      {"",
       "name of '': got '', expected ddpm, ddim, dpmpp, unipc, deis, pndm, euler, heun, euler_a, "
       "lms, langevin, ald or pc"},
      {"ddmp:10", "got 'ddmp', expected ddpm, ddim, "},
      {"DDIM:10", "expected ddpm, ddim, "},
      {" ddim", "try 'ddim'"},
      {"ddim:", "count of 'ddim:': got '', expected a whole number; try 'ddim:50'"},
      {"ddim:fifty", "got 'fifty', expected a whole number"},
      {"ddim:50x", "got '50x', expected a whole number"},
      {"ddim:99999999999", "expected a whole number"},
      {"ddim:0", "got 0 network calls, expected 1..1000; try --plan ddim:50"},
      {"ddpm:-3", "got -3 network calls"},
      {"ddim:2000", "got 2000 network calls, expected 1..1000; try --plan ddim:1000 or a model"},
      {"ddim:50,", "option of 'ddim:50,': got '', expected key=value"},
      {"ddim:50,,eta=1", "got '', expected key=value"},
      {"ddim:50,eta", "got 'eta', expected key=value"},
      {"ddim:50,eta=", "got 'eta=', expected key=value"},
      {"ddim:50,=1", "got '=1', expected key=value"},
      {"ddim:50,eat=1", "got 'eat', expected eta, spacing, "},
      {"ddim:50,variance=fixed_small", "got 'variance', expected eta, spacing, "},
      {"ddpm:50,eta=1", "got 'eta', expected variance, spacing, "},
      {"ddim:50,eta=1,eta=1", "got 'eta' twice"},
      {"ddim:50,eta=half", "eta of 'ddim:50,eta=half': got 'half', expected a number"},
      {"ddim:50,eta=inf", "got 'inf', expected a number"},
      {"ddim:50,eta=1.5", "got eta = 1.5, expected 0..1"},
      {"ddim:50,clip=-1", "clip: got -1, expected 0 (no clipping) or a range"},
      {"ddim:50,spacing=quadratc", "expected uniform, quadratic, leading, linspace, trailing, "},
      {"ddim:50,eps=raws", "expected raw or limited_x0; try 'raw'"},
      {"ddpm:50,variance=small", "got 'small', expected fixed_small, fixed_large, "},
      {"ddpm:50,compat=yes", "got 'yes', expected none or diffusers"},
      {"ddim:5,times=999/1000", "got '999/1000', expected decreasing whole times in 999..0"},
      {"ddim,times=999/500/", "expected decreasing whole times"},
      {"ddim,times=10/9.5/0", "expected decreasing whole times"},
      {"dpmpp,times=10/10.5", "expected decreasing times in 999..0"},
      {"ddim:2,times=9/5/1", "got 3 times, expected no spacing and as many calls"},
      {"ddim,times=9/5,spacing=leading", "expected no spacing"},
      {"ddim:5,offset=1", "got one, expected none but with spacing=leading"},
      {"ddim:5,spacing=leading,offset=200", "got time 1000, expected below 1000"},
      {"ddim:5,spacing=leading,offset=0.5", "got 0.5, expected a whole number in 0..1000"},
      {"ddim:5,spacing=optimal", "got 0 measured errors, expected 1000"},
      {"ddim:5,threshold=2", "got quantile 2 and threshold_max 10"},
      {"ddim:5,threshold_max=2", "got no threshold, expected one"},
      {"dpmpp:20,order=4", "order of 'dpmpp:20,order=4': got 4, expected a whole number in 1..3"},
      {"dpmpp:20,order=1.5", "got 1.5, expected a whole number"},
      {"dpmpp:20,order=1e300", "got 1e+300, expected a whole number"},
      {"dpmpp:20,algorithm=dpmsolver+", "expected dpmsolver++, sde-dpmsolver++, dpmsolver or "},
      {"dpmpp:20,algorithm=sde-dpmsolver,order=3", "expected multistep of order 1 or 2"},
      {"dpmpp:1000", "got 1000 network calls, expected 1..999"},
      {"dpmpp:5,lambda_min=99", "got 99, which no time reaches"},
      {"dpmpp:100001,spacing=karras", "got 100001 network calls, expected 1..100000"},
      {"euler:9,spacing=karras,rho=0", "rho of 'euler:9,spacing=karras,rho=0': got 0, expected"},
      {"euler:9,spacing=karras,sigma_min=9,sigma_max=1", "expected 0 < sigma_min <= sigma_max"},
      {"euler:9,churn=-1", "got -1, expected 0.."},
      {"heun:9,final=one", "got 'one', expected zero or sigma_min"},
      {"pndm:3", "got 3 steps, expected at least 4; try pndm:3,runge_kutta=no"},
      {"lms:9,order=5", "expected a whole number in 1..4"},
      {"langevin:9,eps=-1", "got eps = -1, expected a step size above 0"},
      {"langevin:9,eps=raw", "got 'raw', expected a number"},
      {"langevin:9,t=0", "got 0, expected a whole number in 1..1000"},
      {"langevin:0", "got 0 network calls, expected 1..1000000"},
      {"ald:100,steps=100000", "got 10000000 network calls"},
      {"pc:9,snr=-1", "got -1, expected 0.."},
  };
  for (const auto& [spec, message] : table) {
    try {
      parse_plan(spec, s, {});
      ADD_FAILURE() << "accepted '" << spec << "'";
    } catch (const Error& error) {
      const std::string what = error.what();
      EXPECT_EQ(error.code(), ExitCode::usage) << spec;
      EXPECT_TRUE(what.starts_with("[plan] ")) << what;
      EXPECT_NE(what.find(message), std::string::npos) << what << "\nlacks: " << message;
    }
  }
}

}  // namespace
}  // namespace ddpm
