// scheduler_config.json and ddpm.json: defaults, refusals, and what is written.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ddpm/base/version.h"
#include "ddpm/net/json_for_test.h"
#include "ddpm/net/json_writer.h"
#include "ddpm/net/model_parts.h"

namespace ddpm {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

Process read(const std::string& text, const Extras& extras = {}) {
  Warnings warnings;
  const Process process = read_scheduler_config(parsed(text), "s.json", extras, warnings);
  EXPECT_THAT(warnings, IsEmpty());
  return process;
}

template <class Call>
std::string refusal(Call call) {
  try {
    call();
    return "accepted";
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ExitCode::bad_input) << e.what();
    return e.what();
  }
}

bool same_betas(const Schedule& a, const Schedule& b) {
  if (a.T() != b.T()) return false;
  for (int t = 1; t <= a.T(); ++t) {
    if (a.beta(t) != b.beta(t)) return false;
  }
  return true;
}

TEST(SchedulerConfig, MissingKeysMeanTheClassDefaultsOfDiffusers) {
  const Process p = read("{}");
  EXPECT_TRUE(same_betas(p.schedule, Schedule::linear(1000, 1e-4, 0.02)));
  EXPECT_EQ(p.view.prediction, Prediction::eps);
  EXPECT_EQ(p.view.variance, Variance::fixed_small);
  EXPECT_EQ(p.view.limit.kind, Limit::Kind::clip);
  EXPECT_EQ(p.view.limit.range, 1);
  EXPECT_EQ(p.view.eps_from, EpsFrom::raw);
}

TEST(SchedulerConfig, EveryKeyIsReadFromItsOwnName) {
  const Process p = read(
      R"({"num_train_timesteps": 50, "beta_start": 0.001, "beta_end": 0.5, "prediction_type": "sample",
                             "variance_type": "fixed_large", "clip_sample_range": 2.5})");
  EXPECT_TRUE(same_betas(p.schedule, Schedule::linear(50, 0.001, 0.5)));
  EXPECT_EQ(p.view.prediction, Prediction::x0);
  EXPECT_EQ(p.view.variance, Variance::fixed_large);
  EXPECT_EQ(p.view.limit.range, 2.5);
  EXPECT_EQ(read(R"({"clip_sample": false})").view.limit.kind, Limit::Kind::none);
  EXPECT_EQ(read(R"({"prediction_type": "v_prediction"})").view.prediction, Prediction::v);
  EXPECT_EQ(read(R"({"variance_type": "fixed_small_log"})").view.variance, Variance::fixed_small);
}

TEST(SchedulerConfig, CosineAndListedBetasAreSchedules) {
  EXPECT_TRUE(same_betas(
      read(R"({"beta_schedule": "squaredcos_cap_v2", "num_train_timesteps": 40})").schedule,
      Schedule::cosine(40)));
  // As in diffusers, a list overrules the rest.
  EXPECT_TRUE(same_betas(
      read(R"({"trained_betas": [0.1, 0.25, 0.5], "beta_schedule": "sigmoid"})").schedule,
      Schedule::from_betas({0.1, 0.25, 0.5})));
}

TEST(SchedulerConfig, BetaSchedulesHaveTheNamesOfDiffusers) {
  const std::pair<const char*, const char*> table[] = {
      {R"({"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012})",
       "quadratic:1000,beta_1=0.00085,beta_T=0.012"},
      {R"({"beta_schedule": "sigmoid", "num_train_timesteps": 40})", "sigmoid:40"},
      {R"({"beta_schedule": "squaredcos_cap_v2", "rescale_betas_zero_snr": true})",
       "cosine:1000,zero_snr=yes"},
      {R"({"rescale_betas_zero_snr": true})", "linear:1000,zero_snr=yes"}};
  for (const auto& [json, spec] : table) {
    const Process p = read(json);
    EXPECT_EQ(p.schedule.spec(), spec);
    EXPECT_TRUE(same_betas(p.schedule, Schedule::parse(spec)));
    const Json back = scheduler_config_json(p.schedule, p.view);
    EXPECT_EQ(read(write_json(back)).schedule.spec(), spec);
  }
  // diffusers rescales a list too.
  const Process listed =
      read(R"({"trained_betas": [0.1, 0.25, 0.5], "rescale_betas_zero_snr": true})");
  EXPECT_TRUE(
      same_betas(listed.schedule, Schedule::from_betas({0.1, 0.25, 0.5}).with_zero_terminal_snr()));
}

TEST(SchedulerConfig, ThresholdingReplacesTheClip) {
  const Limit limit = read(R"({"thresholding": true, "sample_max_value": 1.5,
                               "dynamic_thresholding_ratio": 0.9})")
                          .view.limit;
  EXPECT_EQ(limit.kind, Limit::Kind::quantile);
  EXPECT_EQ(limit.quantile, 0.9);
  EXPECT_EQ(limit.range, 1.5);
  ModelView view;
  view.limit = limit;
  const Limit back = read(write_json(scheduler_config_json(Schedule::linear(5), view))).view.limit;
  EXPECT_EQ(back.kind, Limit::Kind::quantile);
  EXPECT_EQ(back.quantile, 0.9);
  EXPECT_EQ(back.range, 1.5);
}

TEST(SchedulerConfig, SpacingsThatThePlanChoosesWarn) {
  Warnings warnings;
  read_scheduler_config(parsed(R"({"timestep_spacing": "trailing"})"), "s.json", {}, warnings);
  EXPECT_THAT(warnings, ElementsAre(HasSubstr("spacing=trailing")));
}

struct Case {
  std::string key, value, expected;
};

TEST(SchedulerConfig, ValuesThatAreNotSupportedAreRefusedByName) {
  const Case table[] = {
      {"_class_name", "\"PNDMScheduler\"", "DDPMScheduler or DDIMScheduler"},
      {"beta_schedule", "\"laplace\"", "linear or scaled_linear or squaredcos_cap_v2 or sigmoid"},
      {"beta_schedule", "7", "a string"},
      {"beta_start", "\"0.1\"", "a number"},
      {"num_train_timesteps", "0", "1..1000000"},
      {"num_train_timesteps", "2000000000", "1..1000000"},
      {"trained_betas", "[]", "a list of numbers"},
      {"trained_betas", "[0.1, null]", "a list of numbers"},
      {"trained_betas", "0.1", "a list of numbers"},
      {"prediction_type", "\"mu\"", "epsilon or sample or v_prediction"},
      {"variance_type", "\"learned\"",
       "fixed_small or fixed_small_log or fixed_large or learned_range"},
      {"variance_type", "\"fixed_large_log\"", "fixed_large"},
      {"clip_sample", "\"yes\"", "true or false"},
      {"clip_sample_range", "0", "a positive number"},
      {"clip_sample_range", "null", "a number"},
      {"thresholding", "1", "true or false"},
      {"timestep_spacing", "\"log\"", "leading or linspace or trailing"},
      {"steps_offset", "1", "0"},
      {"rescale_betas_zero_snr", "1", "true or false"},
      {"set_alpha_to_one", "false", "true"}};
  for (const auto& [key, value, expected] : table) {
    const std::string text = fmt::format(R"({{"{}": {}}})", key, value);
    EXPECT_THAT(refusal([&] { read(text); }),
                AllOf(HasSubstr("s.json"), HasSubstr(key + ": got"), HasSubstr(expected)))
        << text;
  }
}

TEST(SchedulerConfig, BetasThatAreNoScheduleAreBadInput) {
  for (const char* text :
       {R"({"beta_start": 0.5, "beta_end": 0.1})", R"({"beta_start": 0})", R"({"beta_end": 1})",
        R"({"trained_betas": [0.1, 1.5]})", R"({"trained_betas": [0.1, -0.1]})"}) {
    EXPECT_THAT(refusal([&] { read(text); }), HasSubstr("s.json")) << text;
  }
}

TEST(SchedulerConfig, ReadsBackEveryScheduleAndViewThatItWrites) {
  const Schedule schedules[] = {Schedule::linear(),
                                Schedule::linear(7, 0.1, 0.3),
                                Schedule::linear(1),
                                Schedule::cosine(100),
                                Schedule::cosine(10, 0.1),
                                Schedule::constant(9, 0.1),
                                Schedule::linear(1, 0.1, 0.3),
                                Schedule::quadratic(7, 0.01, 0.3),
                                Schedule::sigmoid(7, 0.01, 0.3),
                                Schedule::jsd(7),
                                Schedule::parse("linear:9,beta_T=0.3,zero_snr=yes"),
                                Schedule::parse("scaled_linear:9,beta_T=0.3,zero_snr=yes"),
                                Schedule::parse("cosine:9,zero_snr=yes"),
                                Schedule::parse("cosine:9,s=0.1,zero_snr=yes"),
                                Schedule::from_betas({0.1, 0.2, 0.3}).with_zero_terminal_snr(),
                                Schedule::from_betas({0.1, 1.0 / 3})};
  for (const Schedule& schedule : schedules) {
    for (const Prediction prediction : {Prediction::eps, Prediction::x0, Prediction::v}) {
      const ModelView view = {
          .prediction = prediction,
          .variance = prediction == Prediction::v ? Variance::fixed_large : Variance::fixed_small,
          .limit = prediction == Prediction::x0 ? Limit::no_limit() : Limit::clip(1.5),
          .eps_from = EpsFrom::raw};
      const Process back = read(write_json(scheduler_config_json(schedule, view)));
      EXPECT_TRUE(same_betas(back.schedule, schedule)) << schedule.spec();
      EXPECT_EQ(back.view.prediction, view.prediction);
      EXPECT_EQ(back.view.variance, view.variance);
      EXPECT_EQ(back.view.limit.kind, view.limit.kind);
      EXPECT_EQ(back.view.limit.range, prediction == Prediction::x0 ? 1 : 1.5);
    }
  }
}

TEST(SchedulerConfig, BetasAreListedOnlyWhereDiffusersHasNoName) {
  const auto listed = [](const Schedule& s) {
    return !scheduler_config_json(s, {}).find("trained_betas")->items.empty();
  };
  EXPECT_FALSE(listed(Schedule::linear(10)));
  EXPECT_FALSE(listed(Schedule::cosine(10)));
  EXPECT_TRUE(listed(Schedule::cosine(10, 0.1)));
  EXPECT_TRUE(listed(Schedule::constant(10, 0.1)));
  EXPECT_FALSE(listed(Schedule::quadratic(10)));
  EXPECT_FALSE(listed(Schedule::parse("sigmoid:10,zero_snr=yes")));
  EXPECT_TRUE(listed(Schedule::parse("warmup10:10,zero_snr=yes")));
  EXPECT_THROW(scheduler_config_json(Schedule::constant(60'000, 1e-4), {}), Error);
}

// ddpm.json

Extras read_extras_text(const std::string& text) {
  Warnings warnings;
  return read_extras(parsed(text), "ddpm.json", warnings);
}

TEST(ModelExtras, SayWhatDiffusersCannot) {
  Model model;
  model.schedule = Schedule::constant(9, 0.1);
  model.view = {.prediction = Prediction::mu,
                .variance = Variance::fixed_large,
                .limit = Limit::clip(),
                .eps_from = EpsFrom::limited_x0};
  const Json json = extras_json(model);
  EXPECT_THAT(json.find("diffusers")->text, HasSubstr("prediction mu"));
  const Extras extras = read_extras_text(write_json(json));
  EXPECT_EQ(extras.eps_from, EpsFrom::limited_x0);
  EXPECT_EQ(extras.prediction, Prediction::mu);
  const Process back = read(write_json(scheduler_config_json(model.schedule, model.view)), extras);
  EXPECT_EQ(back.view.prediction, Prediction::mu);
  EXPECT_EQ(back.view.eps_from, EpsFrom::limited_x0);
  EXPECT_EQ(back.schedule.spec(), "constant:9,beta=0.1");
}

TEST(ModelExtras, KeepVariancesThatDiffusersCannotName) {
  Model model;
  model.schedule = Schedule::linear(3);
  for (const Variance variance :
       {Variance::fixed_small, Variance::learned, Variance::learned_range, Variance::optimal}) {
    model.view.variance = variance;
    model.view.mean_eps_squared = {0.1, 0.5, 1.0 / 3};
    model.view.eps_error = {0.25, 0.5, 0.75};
    const Extras extras = read_extras_text(write_json(extras_json(model)));
    const Process back =
        read(write_json(scheduler_config_json(model.schedule, model.view)), extras);
    EXPECT_EQ(back.view.variance, variance) << to_string(variance);
    EXPECT_EQ(back.view.mean_eps_squared, model.view.mean_eps_squared);
    EXPECT_EQ(back.view.eps_error, model.view.eps_error);
    EXPECT_EQ(why_not_diffusers(model).empty(), variance != Variance::learned);
  }
}

// diffusers takes `learned` for a variance: without ddpm.json's word it is not ours to guess. And
// what was measured is one number a step.
TEST(ModelExtras, OfAVarianceAreRefusedWhereTheyDoNotFit) {
  Extras extras;
  extras.variance = Variance::learned;
  EXPECT_THAT(refusal([&] { read(R"({"variance_type": "fixed_small"})", extras); }),
              HasSubstr("variance_type: got \"fixed_small\", expected learned"));
  extras.variance = Variance::optimal;
  EXPECT_THAT(refusal([&] { read(R"({"num_train_timesteps": 2})", extras); }),
              HasSubstr("0 mean_eps_squared"));
  extras.mean_eps_squared = {0.1, 0.2, 0.3};
  EXPECT_THAT(refusal([&] { read(R"({"num_train_timesteps": 2})", extras); }),
              HasSubstr("3 mean_eps_squared"));
  extras = {};
  extras.eps_error = {0.1};
  EXPECT_THAT(refusal([&] { read(R"({"num_train_timesteps": 2})", extras); }),
              HasSubstr("1 eps_error"));
}

TEST(ModelExtras, AreRefusedWhenTheyContradictTheScheduler) {
  Extras extras;
  extras.prediction = Prediction::score;
  EXPECT_THAT(refusal([&] { read(R"({"prediction_type": "epsilon"})", extras); }),
              HasSubstr("score, as ddpm.json says"));
  EXPECT_THAT(refusal([&] { read(R"({"prediction_type": "v_prediction"})", extras); }),
              HasSubstr("as ddpm.json says"));
  extras = {};
  extras.schedule = "constant:2,beta=0.1";
  EXPECT_THAT(refusal([&] { read(R"({"trained_betas": [0.1, 0.2]})", extras); }),
              HasSubstr("constant:2,beta=0.1"));
  extras.schedule = "nonsense";
  EXPECT_THAT(refusal([&] { read(R"({"trained_betas": [0.1, 0.2]})", extras); }),
              HasSubstr("s.json"));
}

TEST(ModelExtras, OfANewerFormatAreRefusedWithTheVersionThatIsNeeded) {
  const Case table[] = {{"format", "3", "try a newer ddpm"},
                        {"format", "0", "expected 1..2"},
                        {"format", "\"1\"", "an integer"},
                        {"eps_from", "\"x0\"", "raw or limited_x0"},
                        {"prediction", "\"eps\"", "mu or score"},
                        {"prediction", "3", "mu or score"},
                        {"schedule", "3", "a string"},
                        {"variance", "\"fixed_small\"", "learned or optimal"},
                        {"mean_eps_squared", "[1, \"2\"]", "a list of numbers"},
                        {"eps_error", "3", "a list of numbers"},
                        {"height", "\"16\"", "an integer"}};
  for (const auto& [key, value, expected] : table) {
    const std::string text =
        fmt::format(R"({{{}"{}": {}}})", key == "format" ? "" : "\"format\": 1, ", key, value);
    EXPECT_THAT(refusal([&] { read_extras_text(text); }), HasSubstr(expected)) << text;
  }
  EXPECT_THAT(refusal([&] { read_extras_text("{}"); }), HasSubstr("format: got nothing"));
}

TEST(ModelExtras, OfNewerNumericsWarn) {
  Warnings warnings;
  read_extras(parsed(fmt::format(R"({{"format": 1, "numerics": {}}})", kNumerics + 1)), "ddpm.json",
              warnings);
  EXPECT_THAT(warnings, ElementsAre(HasSubstr("may differ in the last bits")));
}

}  // namespace
}  // namespace ddpm
