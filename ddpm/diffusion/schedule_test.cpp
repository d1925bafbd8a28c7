#include "ddpm/diffusion/schedule.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cmath>
#include <numbers>

#include "ddpm/base/error.h"
#include "ddpm/diffusion/golden_test.h"
#include "ddpm/diffusion/random_schedule_test.h"

namespace ddpm {
namespace {

double relative(double got, long double want) {
  return static_cast<double>(std::abs((got - want) / want));
}

void expect_message(const std::string& what, const std::string& part) {
  EXPECT_NE(what.find(part), std::string::npos) << what << "\nlacks: " << part;
}

RC_GTEST_PROP(Schedule, AlphaBarDecreasesFromOne, ()) {
  const Schedule s = any_schedule();
  RC_ASSERT(s.alpha_bar(0) == 1);
  RC_ASSERT(s.one_minus_alpha_bar(0) == 0);
  for (int t = 1; t <= s.T(); ++t)
    RC_ASSERT(0 < s.alpha_bar(t) && s.alpha_bar(t) < s.alpha_bar(t - 1));
}

// Long double has 64 bits: 1200 products cost it 7e-17, and the sum of positive terms as little.
// Ours are correct to a rounding or two (1.1e-16 each), whatever T is, because the product is kept
// in two doubles.
RC_GTEST_PROP(Schedule, AlphaBarAndItsComplementAgreeWithLongDouble, ()) {
  const Schedule s = any_schedule();
  long double alpha_bar = 1, complement = 0;
  for (int t = 1; t <= s.T(); ++t) {
    const long double beta = s.beta(t);
    alpha_bar *= 1 - beta;
    complement = beta + (1 - beta) * complement;
    RC_ASSERT(relative(s.alpha_bar(t), alpha_bar) < 4e-16);
    RC_ASSERT(relative(s.one_minus_alpha_bar(t), complement) < 4e-16);
    RC_ASSERT(relative(s.snr(t), alpha_bar / complement) < 1e-15);
  }
}

// The same for any s < t. Long double adds 1200 roundings of 5e-20; ours are three of 1.1e-16.
RC_GTEST_PROP(Schedule, JumpBetaAgreesWithLongDouble, ()) {
  const Schedule schedule = any_schedule();
  const int s = *rc::gen::inRange(0, schedule.T());
  long double jump = 0;
  for (int t = s + 1; t <= schedule.T(); ++t) {
    jump = schedule.beta(t) + (1 - static_cast<long double>(schedule.beta(t))) * jump;
    RC_ASSERT(relative(schedule.jump_beta(s, t), jump) < 5e-16);
  }
}

RC_GTEST_PROP(Schedule, PosteriorVarianceIsAtMostBeta, ()) {
  const Schedule s = any_schedule();
  for (int t = 1; t <= s.T(); ++t) {
    RC_ASSERT(s.posterior(t).variance >= 0);
    RC_ASSERT(s.posterior(t).variance <= s.beta(t));
  }
}

// q(x_{t-1} | x_t, x_0) by Bayes: precisions add, means are weighted by them. Relative to the exact
// rule both sides lose a few roundings, and nothing cancels: 20 of 1.1e-16.
RC_GTEST_PROP(Schedule, PosteriorIsBayesRule, ()) {
  const Schedule s = any_schedule();
  for (int t = 2; t <= s.T(); ++t) {
    const double likelihood = s.alpha(t) / s.beta(t);       // of x_{t-1}, from x_t
    const double prior = 1 / s.one_minus_alpha_bar(t - 1);  // from x_0
    const double variance = 1 / (likelihood + prior);
    const Posterior q = s.posterior(t);
    RC_ASSERT(relative(q.variance, variance) < 2.2e-15);
    RC_ASSERT(relative(q.c_x0, variance * prior * std::sqrt(s.alpha_bar(t - 1))) < 2.2e-15);
    RC_ASSERT(relative(q.c_xt, variance * likelihood / std::sqrt(s.alpha(t))) < 2.2e-15);
  }
}

RC_GTEST_PROP(Schedule, PosteriorOfTheFirstStepIsX0Itself, ()) {
  const Posterior q = any_schedule().posterior(1);
  RC_ASSERT(q.c_x0 == 1 && q.c_xt == 0 && q.variance == 0);
}

RC_GTEST_PROP(Schedule, SpecReadsBackToTheSameSchedule, ()) {
  const Schedule s = any_schedule();
  const Schedule again = Schedule::parse(s.spec());
  RC_ASSERT(again.spec() == s.spec() && again.T() == s.T());
  for (int t = 1; t <= s.T(); ++t) RC_ASSERT(again.beta(t) == s.beta(t));
}

TEST(Schedule, LinearBetasHaveBothEnds) {
  const Schedule s = Schedule::linear();
  EXPECT_EQ(s.T(), 1000);
  EXPECT_EQ(s.beta(1), 1e-4);
  EXPECT_EQ(s.beta(1000), 0.02);
  EXPECT_NEAR(s.beta(500), 1e-4 + 499 * (0.02 - 1e-4) / 999, 1e-17);
  EXPECT_EQ(Schedule::linear(1, 0.1, 0.2).beta(1), 0.1);
}

// Eq. (17) in long double: eight roundings of 5e-20 in the ratio are lost absolutely in 1 - ratio,
// and the angle's rounding times its tangent, at most 1e-15 near pi/2. Ours: nine roundings
// of 1.1e-16.
TEST(Schedule, CosineBetasAreEquation17) {
  for (const int T : {1, 2, 10, 100, 1000, 4000}) {
    const double s = 0.008;
    const Schedule cosine = Schedule::cosine(T, s);
    const auto f = [&](int t) {
      const long double u =
          (static_cast<long double>(t) / T + s) / (1 + static_cast<long double>(s));
      const long double c = std::cos(u * std::numbers::pi_v<long double> / 2);
      return c * c;
    };
    for (int t = 1; t <= T; ++t) {
      const long double beta = std::min(1 - f(t) / f(t - 1), static_cast<long double>(0.999));
      EXPECT_LT(relative(cosine.beta(t), beta), 4e-19 / cosine.beta(t) + 2e-15)
          << "T = " << T << ", t = " << t;
    }
  }
}

// OpenAI's own float64 tables are less exact than ours: a beta there is 1 - (ratio of cosines), 1 -
// alpha_bar a difference.
struct Rounding {
  double alpha_bar = 0;  // relative error of their alpha_bar_t: a bound, summed over the factors
  // Adds the error of the factor alpha_t: 1 - beta and the product round (2 x 1.1e-16). For the
  // cosine, beta comes from squared cosines near pi/2, whose angle (2 roundings of 1.57: 3.5e-16)
  // is amplified by 2 tan(angle) <= 2 / (complement of the angle), for each of two cosines.
  void add_factor(const Schedule& s, int t) { alpha_bar += 2.3e-16 + beta(s, t); }
  // Absolute error of their beta_t.
  static double beta(const Schedule& s, int t) {
    if (!s.spec().starts_with("cosine")) return s.beta(t) * 4e-16;
    const double complement = std::numbers::pi / 2 * (s.T() - t + 1) / (s.T() * 1.008);
    return s.beta(t) == 0.999 ? 0 : 1e-15 + s.alpha(t) * 4 * 3.5e-16 / complement;
  }
};

TEST(Schedule, TablesAgreeWithOpenAi) {
  const auto file = golden::load("openai_tables.json");
  for (const auto& table : file.at("tables").as_array()) {
    const Schedule s = golden::schedule(table);
    const auto times = golden::list<int>(table.at("t"));
    Rounding error;
    int known = 0;
    for (std::size_t i = 0; i < times.size(); ++i) {
      const int t = times[i];
      while (known < t) error.add_factor(s, ++known);
      const auto want = [&](const char* key) {
        return table.at(key).as_array()[i].to_number<double>();
      };
      const std::string what = s.spec() + ", t = " + std::to_string(t);
      // Style: 1e-14 relative, unless their own error is larger.
      const double beta_error = 1e-14 + Rounding::beta(s, t) / s.beta(t);
      EXPECT_LT(relative(s.beta(t), want("betas")), beta_error) << what;
      EXPECT_LT(relative(s.alpha_bar(t), want("alphas_cumprod")), 1e-14 + error.alpha_bar) << what;
      // var_t = 1 - alpha_bar_t, off by alpha_bar's absolute error.
      const double after = error.alpha_bar * s.alpha_bar(t) / s.one_minus_alpha_bar(t);
      const Posterior q = s.posterior(t);
      EXPECT_LT(relative(q.c_x0, want("posterior_mean_coef1")),
                beta_error + after + error.alpha_bar)
          << what;
      if (t == 1) continue;  // the others are 0 there
      const double var_before = error.alpha_bar * s.alpha_bar(t - 1) / s.one_minus_alpha_bar(t - 1);
      const double alpha_error = 1e-14 + Rounding::beta(s, t) / s.alpha(t);
      EXPECT_LT(relative(q.c_xt, want("posterior_mean_coef2")), alpha_error + after + var_before)
          << what;
      EXPECT_LT(relative(q.variance, want("posterior_variance")), beta_error + after + var_before)
          << what;
    }
  }
}

TEST(Schedule, TimeOutOfRangeIsABug) {
  const Schedule s = Schedule::linear(10);
  EXPECT_THROW(s.beta(0), BugError);
  EXPECT_THROW(s.beta(11), BugError);
  EXPECT_THROW(s.alpha(0), BugError);
  EXPECT_THROW(s.alpha_bar(-1), BugError);
  EXPECT_THROW(s.alpha_bar(11), BugError);
  EXPECT_THROW(s.one_minus_alpha_bar(11), BugError);
  EXPECT_THROW(s.snr(0), BugError);
  EXPECT_THROW(s.posterior(0), BugError);
  EXPECT_THROW(s.jump_beta(3, 3), BugError);
  EXPECT_THROW(s.jump_beta(-1, 3), BugError);
  EXPECT_THROW(s.jump_beta(3, 11), BugError);
}

TEST(Schedule, FromBetasKeepsThemAndHasNoSpec) {
  const Schedule s = Schedule::from_betas({0.1, 0.2, 0.05});
  EXPECT_EQ(s.T(), 3);
  EXPECT_EQ(s.beta(2), 0.2);
  EXPECT_EQ(s.spec(), "");
}

TEST(Schedule, BetasThatMakeNoProcessAreRefused) {
  const double nan = std::nan("");
  for (const double beta : {0.0, -0.1, 1.0, 2.0, nan}) {
    EXPECT_THROW(Schedule::from_betas({beta, 0.1}), Error) << beta;
    EXPECT_THROW(Schedule::constant(10, beta), Error) << beta;
    EXPECT_THROW(Schedule::linear(10, beta, 0.5), Error) << beta;
    if (beta == 1) continue;  // at the end: zero terminal SNR
    EXPECT_THROW(Schedule::from_betas({0.1, beta}), Error) << beta;
  }
  EXPECT_THROW(Schedule::from_betas({}), Error);
  EXPECT_THROW(Schedule::linear(10, 0.02, 0.01), Error);
  EXPECT_THROW(Schedule::linear(0), Error);
  EXPECT_THROW(Schedule::linear(2'000'000'000), Error);
  EXPECT_THROW(Schedule::cosine(10, -0.1), Error);
  EXPECT_THROW(Schedule::cosine(10, 0.008, 1.0), Error);
  EXPECT_THROW(Schedule::constant(1000, 0.9), Error) << "alpha_bar underflows";
  EXPECT_THROW(Schedule::constant(2, 1e-18), Error) << "alpha_bar does not decrease";
}

TEST(Schedule, ParseKnowsEveryForm) {
  EXPECT_EQ(Schedule::parse("linear:1000").beta(1000), 0.02);
  EXPECT_EQ(Schedule::parse("linear").T(), 1000);
  EXPECT_EQ(Schedule::parse("linear:4,beta_1=0.1,beta_T=0.4").beta(4), 0.4);
  EXPECT_EQ(Schedule::parse("cosine:4000").T(), 4000);
  EXPECT_EQ(Schedule::parse("cosine:50,s=0.01,max_beta=0.9").beta(50), 0.9);
  EXPECT_EQ(Schedule::parse("constant:100,beta=0.01").beta(7), 0.01);
}

TEST(Schedule, IsNamedByWhatItsSpecBeginsWith) {
  for (const char* text : {"linear", "linear:1000", "table,betas=0.1", "logsnr:ten", "jsd:"}) {
    EXPECT_TRUE(Schedule::is_named(text)) << text;
  }
  for (const char* text : {"", "linear1000", "line", "runs/linear:1000", "./linear"}) {
    EXPECT_FALSE(Schedule::is_named(text)) << text;
  }
}

TEST(Schedule, ParseRefusesByName) {
  const std::pair<const char*, const char*> table[] = {
      {"",
       "expected linear, cosine, constant, quadratic, scaled_linear, sigmoid, warmup10, "
       "warmup50, jsd, logsnr or table"},
      {"liner:1000", "try 'linear'"},
      {"linear:", "got '', expected a whole number"},
      {"linear:ten", "got 'ten', expected a whole number"},
      {"linear:10.5", "expected a whole number"},
      {"linear:0", "expected 1..1000000"},
      {"linear:10,beta_2=0.1", "expected beta_1, beta_T or zero_snr; try 'beta_1'"},
      {"linear:10,beta_1", "expected key=value"},
      {"linear:10,", "expected key=value"},
      {"linear:10,beta_1=x", "got 'x', expected a number"},
      {"linear:10,beta_1=nan", "expected a number"},
      {"linear:10,beta_1=0.1,beta_1=0.1", "twice"},
      {"linear:10,beta_1=0.5", "expected 0 < beta_1 <= beta_T < 1"},
      {"cosine:10,s=-1", "expected s >= 0"},
      {"constant:10", "expected steps and beta"},
      {"constant:10,beta=1", "expected 0 < beta < 1"},
      {"quadratic:10,beta_1=0.5", "quadratic: got beta_1 = 0.5"},
      {"sigmoid:0", "sigmoid: got T = 0"},
      {"jsd:10,beta_1=0.1", "expected zero_snr"},
      {"warmup20:10", "try 'warmup10'"},
      {"linear:1,zero_snr=yes", "got one step"},
      {"linear:10,zero_snr=1", "expected no or yes"},
      {"table", "expected betas; try table,betas=0.1/0.2"},
      {"table,betas=0.1/", "expected numbers"},
      {"table,betas=0.1/x", "expected numbers"},
      {"table:3,betas=0.1/0.2", "got 2 betas, expected 3"},
      {"table,betas=0.1/1/0.2", "expected 0 < beta < 1"},
      {"logsnr:10,max=-6", "each below the one before"},
      {"logsnr:10,knots=3", "expected 2.."},
      {"logsnr:10,knots=3/1,max=4", "expected knots or max and min"},
      {"logsnr:0", "got T = 0"},
  };
  for (const auto& [spec, message] : table) {
    try {
      Schedule::parse(spec);
      ADD_FAILURE() << "accepted '" << spec << "'";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::usage);
      expect_message(error.what(), "[schedule]");
      expect_message(error.what(), message);
    }
  }
}

}  // namespace
}  // namespace ddpm
