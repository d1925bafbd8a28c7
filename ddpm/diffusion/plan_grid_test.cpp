// Where plans call the network: levels between whole times, and the spacings of noise levels.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cmath>

#include "ddpm/base/error.h"
#include "ddpm/diffusion/plan_level.h"
#include "ddpm/diffusion/random_schedule_test.h"

namespace ddpm {
namespace {

const ModelView kPlain = {Prediction::eps, Variance::fixed_small, Limit::no_limit(), EpsFrom::raw};

std::vector<double> times_of(const Plan& plan) {
  std::vector<double> times;
  for (const Row& row : plan) times.push_back(row.time.value());
  return times;
}

// noise / signal at each call, from how eps is read: x0 = (x - noise eps) / signal, or x - rho eps.
std::vector<double> rhos_of(const Plan& plan) {
  std::vector<double> rhos;
  for (const Row& row : plan) {
    rhos.push_back(std::sqrt(row.r_x * row.r_x / (row.c_in * row.c_in) - 1));
  }
  return rhos;
}

RC_GTEST_PROP(Levels, AtRhoFindsWholeTimes, ()) {
  const Schedule s = any_schedule();
  const Levels levels(s);
  const int t = any_time(s);
  const Level level = levels.at_rho(levels.whole(t).rho);
  // The log of rho is good to 1e-15 or so of itself, and neighbours are 1e-7 apart or more.
  RC_ASSERT(std::abs(level.time - network_time(t)) <= 1e-6);
  RC_ASSERT(std::abs(level.rho / levels.whole(t).rho - 1) <= 1e-15);
}

RC_GTEST_PROP(Levels, RhoGrowsWithTimeAndEndsAreHeld, ()) {
  const Schedule s = any_schedule();
  const Levels levels(s);
  const double last = network_time(s.T()), a = any_in(0, last), b = any_in(0, last);
  RC_ASSERT((a < b) == (levels.at_time(a).rho < levels.at_time(b).rho) || a == b);
  RC_ASSERT(levels.at_time(last + 5).rho == levels.whole(s.T()).rho);
  RC_ASSERT(levels.at_time(-1).rho == levels.whole(1).rho);
  RC_ASSERT(levels.at_rho(2 * levels.whole(s.T()).rho).time == last);
  RC_ASSERT(levels.at_rho(levels.whole(1).rho / 2).time == 0);
}

// Readings between whole times: x0 from any meaning of a consistent (x0, eps) is that x0.
RC_GTEST_PROP(Levels, ReadingsAreConsistentBetweenWholeTimes, ()) {
  const Schedule s = any_schedule();
  const Levels levels(s);
  const Level level = levels.at_time(any_in(0, network_time(s.T())));
  const double x0 = any_in(-1, 1), eps = any_in(-2, 2);
  const double x = level.signal * x0 + level.noise * eps;
  const std::pair<Prediction, double> outputs[] = {
      {Prediction::eps, eps},
      {Prediction::x0, x0},
      {Prediction::v, level.signal * eps - level.noise * x0},
      {Prediction::score, -eps / level.noise}};
  for (const auto& [prediction, out] : outputs) {
    const Linear a = x0_at(levels, level, prediction), b = eps_at(levels, level, prediction);
    // A rounding of x or out reaches x0 divided by the signal, eps divided by the noise.
    RC_ASSERT(std::abs(a.x * x + a.out * out - x0) <= 4e-15 / level.signal);
    RC_ASSERT(std::abs(b.x * x + b.out * out - eps) <= 4e-15 / level.noise / level.noise);
  }
  // mu is affine in (x, x0): read back, whatever its coefficients between times are.
  const Linear mu = x0_at(levels, level, Prediction::mu);
  RC_ASSERT(mu.out >= 1 - 1e-12 && mu.x <= 0);
}

TEST(Levels, ReadMuAtWholeTimesAsThePosteriorMean) {
  const Schedule s = Schedule::linear();
  const Levels levels(s);
  for (const int t : {1, 2, 500, 1000}) {
    const Linear want = x0_from(s, t, Prediction::mu);
    Level between = levels.whole(t);
    between.t.reset();  // as if it were none of the schedule's
    const Linear got = x0_at(levels, between, Prediction::mu);
    // rho^2 - rho'^2 cancels down to beta, 1e-4 or more, of rho^2 known to 1e-12 at t = 1.
    EXPECT_NEAR(got.out / want.out, 1, 1e-11) << t;
    EXPECT_NEAR(got.x, want.x, 1e-11 * (1 + std::abs(want.x))) << t;
  }
}

// Karras et al. 2022, Eq. (5), rho = 7.
TEST(Grid, KarrasLevelsAreEquation5) {
  const Schedule s = Schedule::linear();
  const Levels levels(s);
  const auto rhos = rhos_of(parse_plan("dpmpp:8,spacing=karras", s, kPlain));
  const double a = std::pow(levels.whole(1000).rho, 1.0 / 7),
               b = std::pow(levels.whole(1).rho, 1.0 / 7);
  for (int i = 0; i < 8; ++i) {
    const double want = std::pow(a + i / 7.0 * (b - a), 7);
    EXPECT_NEAR(rhos[i] / want, 1, 1e-11) << i;  // 1 + rho^2 keeps 12 digits of rho^2 = 1e-4
  }
}

TEST(Grid, ExponentialLevelsHaveEqualRatiosAndPolyexponentialBendsThem) {
  const Schedule s = Schedule::linear();
  const auto even = rhos_of(parse_plan("lms:9,spacing=exponential", s, kPlain));
  for (int i = 1; i < 8; ++i)
    EXPECT_NEAR(even[i] * even[i] / (even[i - 1] * even[i + 1]), 1, 1e-10);
  const auto bent = rhos_of(parse_plan("lms:9,spacing=polyexponential,rho=2", s, kPlain));
  const double span = std::log(even[0] / even[8]);
  for (int i = 0; i < 9; ++i) {
    const double ramp = 1 - i / 8.0;
    EXPECT_NEAR(std::log(bent[i] / even[8]), ramp * ramp * span, 1e-10) << i;
  }
}

TEST(Grid, SigmaMinAndMaxAreTheEnds) {
  const auto rhos = rhos_of(
      parse_plan("euler:5,spacing=karras,sigma_min=0.1,sigma_max=20", Schedule::linear(), kPlain));
  EXPECT_NEAR(rhos.front(), 20, 1e-9);
  EXPECT_NEAR(rhos.back(), 0.1, 1e-9);
}

// final=sigma_min ends where the noise of t = 1 is; every call is above it, so none is in vain.
TEST(Grid, EndingAtSigmaMinTakesEveryCallAboveIt) {
  const Schedule s = Schedule::linear();
  const double least = Levels(s).whole(1).rho;
  for (const char* spec :
       {"euler:6,spacing=karras,final=sigma_min", "deis:6,spacing=exponential,final=sigma_min"}) {
    for (const double rho : rhos_of(parse_plan(spec, s, kPlain)))
      EXPECT_GT(rho, least * 1.01) << spec;
  }
  // diffusers' last call is at sigma_min: a step of length nothing.
  const Plan theirs = parse_plan("deis:6,spacing=karras,compat=diffusers", s, kPlain);
  EXPECT_TRUE(theirs.back().updates.empty());
}

TEST(Grid, TimesAreFractionalUnlessDiffusersRoundsThem) {
  const Schedule s = Schedule::linear();
  const auto real = times_of(parse_plan("dpmpp:20,spacing=karras", s, kPlain));
  const auto whole = times_of(parse_plan("dpmpp:20,spacing=karras,compat=diffusers", s, kPlain));
  const auto cut = times_of(parse_plan("dpmpp:20,spacing=exponential,compat=diffusers", s, kPlain));
  int fractional = 0;
  for (int i = 0; i < 20; ++i) {
    fractional += real[i] != std::rint(real[i]);
    EXPECT_EQ(whole[i], std::rint(real[i]));
    EXPECT_EQ(cut[i], std::floor(cut[i]));
  }
  EXPECT_GT(fractional, 15);
}

TEST(Grid, StartsAtTheVarianceOfTheModelsNoise) {
  const Schedule s = Schedule::linear();
  const double rho = Levels(s).whole(1000).rho;
  EXPECT_DOUBLE_EQ(parse_plan("euler:9", s, kPlain).initial_scale, std::sqrt(rho * rho + 1));
  EXPECT_DOUBLE_EQ(parse_plan("euler:9,compat=diffusers", s, kPlain).initial_scale, rho);
  EXPECT_EQ(parse_plan("unipc:9", s, kPlain).initial_scale, 1);
}

// Each curve with the rule that lays its times.
TEST(Grid, RulesOfTheFamilies) {
  const Schedule s = Schedule::linear();
  using Times = std::vector<double>;
  const std::pair<const char*, Times> cases[] = {
      {"ddim:4,spacing=linspace", {999, 666, 333, 0}},
      {"ddim:1,spacing=linspace", {999}},
      {"ddim:1,spacing=linspace,compat=diffusers", {0}},
      {"dpmpp:4", {999, 749, 500, 250}},
      {"dpmpp:4,spacing=leading", {800, 600, 400, 200}},
      {"dpmpp:4,spacing=trailing", {999, 749, 499, 249}},
      {"dpmpp:4,spacing=uniform", {750, 500, 250, 0}},
      {"dpmpp:4,lambda_min=-2", {628, 471, 314, 157}},  // alpha_bar_629 = 0.0181 > 1 / (1 + e^4)
      {"euler:4", {999, 666, 333, 0}},
      {"euler:5", {999, 749.25, 499.5, 249.75, 0}},
      {"euler:4,spacing=leading,offset=1", {751, 501, 251, 1}},
      {"euler,times=900.5/3", {900.5, 3}},
      {"unipc,times=900/3.25", {900, 3.25}},
  };
  for (const auto& [spec, want] : cases)
    EXPECT_EQ(times_of(parse_plan(spec, s, kPlain)), want) << spec;
}

// EDM, Algorithm 2: where S_min <= sigma <= S_max, noise lifts sigma by gamma = min(churn / calls,
// sqrt(2) - 1), and the network is called up there. Levels here are 157, 15.7, 1.57, 0.157, 0.0157.
TEST(Grid, ChurnCallsAtTheLevelThatItsNoiseReaches) {
  const Schedule s = Schedule::linear();
  const std::string even = "euler:5,spacing=exponential,sigma_max=157,sigma_min=0.0157";
  const auto before = rhos_of(parse_plan(even, s, kPlain));
  for (const auto& [churn, gamma] : {std::pair(1.0, 0.2), {50.0, std::sqrt(2) - 1}}) {
    const Plan plan = parse_plan(
        even + ",churn_min=0.1,churn_max=20,noise=1.1,churn=" + std::to_string(churn), s, kPlain);
    ASSERT_EQ(plan.size(), 8U);  // churn before the second, third and fourth call
    EXPECT_EQ(calls_of(plan), 5);
    for (std::size_t i = 1; i <= 3; ++i) {
      const Row &noise = plan[2 * i - 1], &call = plan[2 * i];
      const double up = before[i] * (1 + gamma);
      EXPECT_FALSE(noise.time.has_value());
      EXPECT_NEAR(noise.updates[0].c_z / (1.1 * std::sqrt(up * up - before[i] * before[i])), 1,
                  1e-9);
      EXPECT_NEAR(rhos_of({call})[0] / up, 1, 1e-9);
      EXPECT_GT(*call.time, Levels(s).at_rho(before[i]).time);
    }
  }
}

// Zero terminal SNR: alpha_bar(T) = 0. The index samplers take it as it is; those in log SNR and
// sigma put 2^-24 in its place, as diffusers does.
TEST(Grid, ZeroTerminalSnr) {
  const Schedule s = Schedule::linear().with_zero_terminal_snr();
  ModelView view = kPlain;
  view.prediction = Prediction::v;
  const Plan ddim = parse_plan("ddim:10,spacing=trailing", s, view);
  EXPECT_EQ(ddim[0].r_x, 0);
  EXPECT_EQ(ddim[0].r_out, -1);
  const Plan dpmpp = parse_plan("dpmpp:10,spacing=trailing", s, view);
  EXPECT_DOUBLE_EQ(dpmpp[0].r_x, 0x1p-12);
  for (const char* spec :
       {"ddpm:10,spacing=trailing", "ddim:10,spacing=trailing", "pndm:10,spacing=trailing"}) {
    EXPECT_THROW(parse_plan(spec, s, kPlain), Error) << spec;  // eps says nothing of x0 there
  }
  EXPECT_NO_THROW(parse_plan("ddim:10", s, kPlain));  // times that leave T out
}

// Whatever a spec asks for, every number is finite, and the last row of a sampler that ends at zero
// noise writes x0 alone.
RC_GTEST_PROP(Plans, AreFiniteAndEndAtX0, ()) {
  const Schedule s = any_schedule();
  RC_PRE(s.T() >= 12);
  const std::string name =
      *rc::gen::element<std::string>("ddim", "dpmpp", "unipc", "deis", "euler", "heun", "euler_a");
  const std::string spacing =
      *rc::gen::element<std::string>("uniform", "quadratic", "leading", "linspace", "trailing",
                                     "karras", "exponential", "polyexponential");
  const int calls = *rc::gen::inRange(1, std::min(s.T(), 40));
  const std::string spec = name + ":" + std::to_string(calls) + ",spacing=" + spacing;
  ModelView view = kPlain;
  view.prediction = *rc::gen::element(Prediction::eps, Prediction::x0, Prediction::v,
                                      Prediction::mu, Prediction::score);
  const Plan plan = parse_plan(spec, s, view);
  RC_ASSERT(calls_of(plan) == (name == "heun" ? 2 * calls - 1 : calls));
  for (const Row& row : plan) {
    for (const double c : {row.c_in, row.r_x, row.r_out, row.e_x, row.e_out, row.e_x0})
      RC_ASSERT(std::isfinite(c));
    for (const Update& update : row.updates) {
      RC_ASSERT(std::isfinite(update.c_z));
      for (const Term& term : update.terms) RC_ASSERT(std::isfinite(term.c));
    }
  }
  const Update& last = plan.back().updates.back();
  RC_ASSERT(last.dst == Reg::x && last.c_z == 0);
  for (const Term& term : last.terms) RC_ASSERT(term.c == (term.reg == Reg::x0 ? 1 : 0));
}

// pndm's Runge-Kutta start takes 4 steps, whatever T is.
TEST(Grid, WithoutAnyNumberOfCallsASamplerFitsAShortSchedule) {
  for (const int T : {4, 5, 20}) {
    const Schedule s = Schedule::linear(T);
    for (const SamplerHelp& sampler : sampler_help()) {
      EXPECT_NO_THROW((void)parse_plan(std::string(sampler.name), s, kPlain))
          << sampler.name << ", T = " << T;
    }
  }
}

}  // namespace
}  // namespace ddpm
