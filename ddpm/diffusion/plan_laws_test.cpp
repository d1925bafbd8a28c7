// What samplers must do whatever their coefficients are: laws of the probability-flow ODE and of
// the reverse process, on Gaussian data where both are known.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cmath>

#include "ddpm/diffusion/plan_interpreter_test.h"
#include "ddpm/diffusion/plan_level.h"
#include "ddpm/diffusion/random_schedule_test.h"

namespace ddpm {
namespace {

const ModelView kPlain = {Prediction::eps, Variance::fixed_small, Limit::no_limit(), EpsFrom::raw};

constexpr Prediction kAll[] = {Prediction::eps, Prediction::x0, Prediction::v, Prediction::mu,
                               Prediction::score};

// The best network for data N(mean, deviation^2): of any meaning, at any time between whole ones,
// where log rho is linear in time as Levels::at_rho has it.
struct GaussianNetwork {
  const Schedule& schedule;
  double mean, deviation;
  Prediction prediction = Prediction::eps;

  double rho(double time) const {
    const Levels levels(schedule);
    const int low = std::min(static_cast<int>(time) + 1, schedule.T() - 1);
    const double below = std::log(levels.finite(low).rho),
                 above = std::log(levels.finite(low + 1).rho);
    return std::exp(below + (time - network_time(low)) * (above - below));
  }

  Vector operator()(const Vector& x, double time) const {
    const double r = rho(time), s2 = deviation * deviation;
    const double signal = 1 / std::sqrt(1 + r * r), noise = r * signal;
    Vector out = x;
    for (double& value : out) {
      const double eps = noise / (signal * signal * s2 + noise * noise) * (value - signal * mean);
      const double x0 = (value - noise * eps) / signal;
      switch (prediction) {
        case Prediction::eps:
          value = eps;
          break;
        case Prediction::x0:
          value = x0;
          break;
        case Prediction::v:
          value = signal * eps - noise * x0;
          break;
        case Prediction::score:
          value = -eps / noise;
          break;
        case Prediction::mu:
          value = posterior_mean(value, x0, time);
      }
    }
    return out;
  }

  double posterior_mean(double x, double x0, double time) const {
    const Posterior q = schedule.posterior(static_cast<int>(std::lround(time)) + 1);
    return q.c_x0 * x0 + q.c_xt * x;
  }
};

double no_noise(int, int) { return 0; }

// The ODE keeps (x / signal - mean) / sqrt(deviation^2 + rho^2).
double plan_error(const Plan& plan, const Schedule& schedule, double start) {
  const GaussianNetwork network{schedule, 0.4, 0.5};
  const bool ve = plan[0].c_in != 1;  // state x / signal
  const Levels levels(schedule);
  const double r0 = levels.finite(schedule.T()).rho, r1 = levels.finite(1).rho;
  const double signal1 = 1 / std::sqrt(1 + r1 * r1);
  const double x_T = start * plan.initial_scale * (ve ? 1 : std::sqrt(1 + r0 * r0));
  const double want = 0.4 + (x_T - 0.4) * std::sqrt((0.25 + r1 * r1) / (0.25 + r0 * r0));
  const double got = run(plan, network, no_noise, {start})[0];
  return std::abs(got / (ve ? 1 : signal1) - want);
}

struct OrderCase {
  const char* spec;
  double order;
};

// Halving the steps divides the error by 2^order. Errors of the order above disturb that by a
// quarter at these step sizes, so the measured order, log2 of the ratio, may be 0.3 short; a lost
// order would be 1 short.
TEST(PlanLaws, SolversConvergeWithTheirOrder) {
  const Schedule schedule = Schedule::linear();
  const OrderCase cases[] = {
      {"euler:{},spacing=exponential,final=sigma_min", 1},
      {"heun:{},spacing=exponential,final=sigma_min", 2},
      {"lms:{},spacing=exponential,final=sigma_min,order=2", 2},
      {"lms:{},spacing=exponential,final=sigma_min,order=3", 3},
      {"deis:{},spacing=exponential,final=sigma_min,order=1", 1},
      {"deis:{},spacing=exponential,final=sigma_min,order=2", 2},
      {"deis:{},spacing=exponential,final=sigma_min,order=3", 3},
      {"dpmpp:{},spacing=exponential,final=sigma_min,order=1", 1},
      {"dpmpp:{},spacing=exponential,final=sigma_min,order=2", 2},
      {"dpmpp:{},spacing=exponential,final=sigma_min,order=2,type=heun", 2},
      {"dpmpp:{},spacing=exponential,final=sigma_min,order=3", 3},
      {"dpmpp:{},spacing=exponential,final=sigma_min,order=2,algorithm=dpmsolver", 2},
      {"dpmpp:{},spacing=exponential,final=sigma_min,order=3,algorithm=dpmsolver", 3},
      {"dpmpp:{},spacing=exponential,final=sigma_min,order=2,singlestep=yes,lower_order_final=no",
       2},
      {"dpmpp:{},spacing=exponential,final=sigma_min,order=3,singlestep=yes,type=heun,lower_order_"
       "final=no",
       3},
      {"dpmpp:{},spacing=exponential,final=sigma_min,order=3,singlestep=yes,lower_order_final=no",
       3},
      {"unipc:{},spacing=exponential,final=sigma_min,order=1", 2},
      {"unipc:{},spacing=exponential,final=sigma_min,order=2,lower_order_final=no", 3},
      {"unipc:{},spacing=exponential,final=sigma_min,order=2,type=bh1,lower_order_final=no", 3},
      {"unipc:{},spacing=exponential,final=sigma_min,order=2,of=eps,lower_order_final=no", 3},
      {"unipc:{},spacing=exponential,final=sigma_min,order=3,lower_order_final=no", 4},
      {"unipc:{},spacing=exponential,final=sigma_min,order=2,corrector=no,lower_order_final=no", 2},
  };
  for (const auto& [spec, order] : cases) {
    const auto error = [&](int calls) {
      const std::string text = fmt::format(fmt::runtime(spec), calls);
      return plan_error(parse_plan(text, schedule, kPlain), schedule, 0.8);
    };
    const double measured = std::log2(error(120) / error(240));
    EXPECT_GT(measured, order - 0.3) << spec << " " << error(120) << ' ' << error(240);
  }
}

// The multistep formula of order 3 as diffusers has it is of order 2 only (docs/samplers.md).
TEST(PlanLaws, DiffusersThirdOrderMultistepHasOrderTwo) {
  const Schedule schedule = Schedule::linear();
  const auto error = [&](int calls) {
    const std::string spec = fmt::format(
        "dpmpp:{},spacing=exponential,order=3,compat=diffusers,"
        "final=sigma_min,lower_order_final=no",
        calls);
    // compat feeds whole times; the rows are run at their real levels instead.
    Plan theirs = parse_plan(spec, schedule, kPlain);
    const Levels levels(schedule);
    for (Row& row : theirs) {
      const double noise = -row.r_out / row.r_x;  // of eps: x0 = (x - noise out) / signal
      const double signal = 1 / row.r_x;
      row.time = levels.at_rho(noise * signal / (signal * signal)).time;
    }
    return plan_error(theirs, schedule, 0.8);
  };
  EXPECT_NEAR(std::log2(error(120) / error(240)), 2, 0.3);
}

// Song et al. 2020 and Lu et al. 2022, Sec. 4.1: the same map of x and output, row by row, for any
// network meaning. Each side is a sum of products of a few roundings of numbers at most the size of
// the largest coefficient, 1 / signal.
RC_GTEST_PROP(PlanLaws, DdimIsDpmSolverOfOrderOne, ()) {
  const Schedule s = any_schedule();
  RC_PRE(s.T() >= 2);
  ModelView view = kPlain;
  view.prediction = *rc::gen::element(Prediction::eps, Prediction::x0, Prediction::v,
                                      Prediction::mu, Prediction::score);
  const int calls = *rc::gen::inRange(1, s.T());
  const Plan ddim = parse_plan(fmt::format("ddim:{},spacing=trailing", calls), s, view);
  const std::string algorithm = *rc::gen::element<std::string>("dpmsolver", "dpmsolver++");
  const Plan dpm = parse_plan(
      fmt::format("dpmpp:{},order=1,spacing=trailing,algorithm={}", calls, algorithm), s, view);
  RC_ASSERT(ddim.size() == dpm.size());
  for (std::size_t i = 0; i < ddim.size(); ++i) {
    const Step a = as_step(ddim[i]), b = as_step(dpm[i]);
    RC_ASSERT(ddim[i].time == dpm[i].time);
    const double size = std::abs(ddim[i].r_x) + std::abs(ddim[i].r_out) + std::abs(ddim[i].e_x) +
                        std::abs(ddim[i].e_out);
    RC_ASSERT(std::abs(a.x - b.x) <= 1e-13 * size);
    RC_ASSERT(std::abs(a.out - b.out) <= 1e-13 * size);
  }
}

// The same for any spacing of noise levels, of Euler in sigma: x / signal obeys the same step.
TEST(PlanLaws, EulerInSigmaIsDdim) {
  const Schedule s = Schedule::linear();
  const GaussianNetwork network{s, 0.4, 0.5};
  const Plan ddim = parse_plan("ddim:15,spacing=karras", s, kPlain);
  const Plan euler = parse_plan("euler:15,spacing=karras", s, kPlain);
  const double rho = Levels(s).finite(1000).rho;
  EXPECT_DOUBLE_EQ(euler.initial_scale, std::sqrt(rho * rho + 1));  // that of x / signal
  // Sums of numbers up to rho = 157 in 15 steps.
  EXPECT_NEAR(run(ddim, network, no_noise, {0.8})[0], run(euler, network, no_noise, {0.8})[0],
              15 * 157 * 4e-16);
}

// One process seen through any meaning of the network is one sampler.
TEST(PlanLaws, EveryPredictionGivesTheSameSample) {
  const Schedule s = Schedule::linear();
  for (const char* spec :
       {"ddpm:20,spacing=linspace", "ddim:20,eta=0.5", "dpmpp:12,order=3", "unipc:12,order=3",
        "deis:12,order=3,spacing=trailing", "pndm:12,runge_kutta=no",
        "euler:12,spacing=trailing,churn=4,churn_max=50", "heun:12,spacing=trailing",
        "euler_a:12,spacing=trailing", "lms:12,spacing=trailing", "langevin:9,t=500",
        "ald:3,spacing=trailing,steps=4", "pc:12,spacing=leading"}) {
    const auto sample = [&](Prediction prediction) {
      ModelView view = kPlain;
      view.prediction = prediction;
      const GaussianNetwork network{s, 0.4, 0.5, prediction};
      const auto noise = [](int row, int i) { return std::sin(1.7 * row + 0.9 * i); };
      return run(parse_plan(spec, s, view), network, noise, {0.8, -0.3});
    };
    const Vector want = sample(Prediction::eps);
    for (const Prediction prediction : kAll) {
      // Churn calls between whole times, where the test's network has no mu.
      const bool between = std::string(spec).find("churn") != std::string::npos;
      if (prediction == Prediction::mu && between) continue;
      const Vector got = sample(prediction);
      for (std::size_t i = 0; i < want.size(); ++i) {
        // eps and x0 differ by 1 / signal = 157, mu and x0 by 1 / c_x0 up to 2e4, of each rounding.
        EXPECT_NEAR(got[i], want[i], 1e-9) << spec << ' ' << to_string(prediction);
      }
    }
  }
}

// compat=diffusers changes nothing where the two agree: times that n divides, no limit, the eps of
// the network, no noise in a last step.
TEST(PlanLaws, CompatIsOursWhereNothingDiffers) {
  const Schedule s = Schedule::linear();
  for (const char* spec :
       {"ddpm:50,spacing=leading", "ddim:50,spacing=leading,eta=0.5", "ddim:40,spacing=trailing",
        "dpmpp:20", "dpmpp:20,algorithm=sde-dpmsolver++,type=heun",
        "dpmpp:10,order=3,singlestep=yes", "unipc:20,order=3", "deis:20,order=3,final=sigma_min",
        "euler:20,spacing=leading", "euler_a:20,spacing=leading", "heun:20,spacing=leading",
        "lms:20,spacing=leading", "pndm:50,spacing=leading,final_alpha=one",
        "pndm:50,spacing=leading,runge_kutta=no,final_alpha=one"}) {
    const GaussianNetwork network{s, 0.4, 0.5};
    const auto noise = [](int row, int i) { return std::sin(1.7 * row + 0.9 * i); };
    const auto sample = [&](const std::string& text) {
      return run(parse_plan(text, s, kPlain), network, noise, {0.8, -0.3});
    };
    const Vector ours = sample(spec), theirs = sample(std::string(spec) + ",compat=diffusers");
    for (std::size_t i = 0; i < ours.size(); ++i) EXPECT_NEAR(ours[i], theirs[i], 1e-11) << spec;
  }
}

}  // namespace
}  // namespace ddpm
