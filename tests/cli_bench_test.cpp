// ddpm bench: its figures hang together, and what cannot be measured is refused.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ddpm/net/strict_json.h"
#include "tests/cli_fixture.h"

namespace ddpm::test {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

// Figures pass through a text that reads back to the same double; a few operations follow.
constexpr double kRounding = 1e-12;

class CliBench : public Cli {
 protected:
  Json bench(Words options) const {
    options.insert(options.begin(), {"bench", "tiny.toml", "--json", "--threads", "1"});
    const Outcome outcome = ddpm(options);
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    return parse_json(outcome.out, "stdout").value();
  }

  void refuse(const Words& words, int code, const std::string& message) const {
    const auto before = tree(folder_.path());
    const Outcome outcome = ddpm(words);
    EXPECT_EQ(outcome.code, code) << outcome.err;
    EXPECT_THAT(outcome.err, StartsWith("ddpm: error: ["));
    EXPECT_THAT(outcome.err, HasSubstr(message));
    EXPECT_EQ(outcome.out, "");
    EXPECT_EQ(tree(folder_.path()), before);
  }
};

double number(const Json& json, const char* key) {
  const Json* value = json.find(key);
  return value ? value->real().value_or(-1) : -1;
}

// The rows' sum of one figure.
double sum_of_ops(const Json& job, const char* key) {
  double sum = 0;
  for (const Json& op : job.find("ops")->items) sum += number(op, key);
  return sum;
}

// GFLOP that the graph describes: convolutions, and attention's two products.
double products_of(const Json& forward) {
  const Json& ops = *forward.find("ops");
  return number(forward, "direct_gflop_per_image") +
         number(*ops.find("dot_tokens"), "direct_gflop") +
         number(*ops.find("mix_tokens"), "direct_gflop");
}

// GFLOP that take the limit's time at the peak.
double limit_of(const Json& json) {
  return number(*json.find("forward"), "limit_ms_per_image") * 1e-3 *
         number(json, "fma_peak_gflops");
}

void expect_consistent(const Json& job, double peak) {
  const double ms = number(job, "ms_per_image"), real = sum_of_ops(job, "real_gflop");
  EXPECT_GT(ms, 0);
  EXPECT_GE(number(job, "repeats"), 5);
  EXPECT_NEAR(number(job, "images_per_second") * ms, 1e3, 1e3 * kRounding);
  const double direct = number(job, "direct_gflop_per_image");
  EXPECT_NEAR(number(job, "effective_gflops") * ms, direct * 1e3, direct * 1e3 * kRounding);
  EXPECT_NEAR(number(job, "real_gflops") * ms, real * 1e3, real * 1e3 * kRounding);
  EXPECT_NEAR(number(job, "fraction_of_peak") * peak, number(job, "real_gflops"), peak * kRounding);
  EXPECT_NEAR(number(job, "fraction_of_limit") * ms, number(job, "limit_ms_per_image"),
              ms * kRounding);
}

TEST_F(CliBench, FiguresOfForwardPassesHangTogether) {
  const Json json = bench({"--batch", "3"});
  EXPECT_EQ(json.find("schema")->text, "ddpm.bench/1");
  EXPECT_EQ(number(json, "batch"), 3);
  EXPECT_EQ(number(json, "threads"), 1);
  EXPECT_EQ(json.find("profile")->text, "f32");
  EXPECT_GT(number(json, "fma_peak_gflops"), 0);
  EXPECT_GT(number(json, "peak_rss_mb"), 1);
  EXPECT_TRUE(json.find("train")->is(Json::Kind::null));
  EXPECT_TRUE(json.find("ms_per_image_train")->is(Json::Kind::null));
  const Json& forward = *json.find("forward");
  expect_consistent(forward, number(json, "fma_peak_gflops"));
  EXPECT_EQ(number(json, "ms_per_image_forward"), number(forward, "ms_per_image"));
  EXPECT_EQ(number(json, "effective_gflops"), number(forward, "effective_gflops"));
  EXPECT_EQ(forward.find("ops")->find("conv_dw 3x3"), nullptr);
}

TEST_F(CliBench, TrainingStepsHaveTheirGradientsInTheFigures) {
  const Json json = bench({"--batch", "2", "--train"});
  const Json &forward = *json.find("forward"), &train = *json.find("train");
  expect_consistent(train, number(json, "fma_peak_gflops"));
  EXPECT_EQ(number(json, "ms_per_image_train"), number(train, "ms_per_image"));
  // Forward, weight gradient and, but for layers that see only x or the time, data gradient.
  const double ratio =
      number(train, "direct_gflop_per_image") / number(forward, "direct_gflop_per_image");
  EXPECT_GT(ratio, 2.5);
  EXPECT_LT(ratio, 3);
  EXPECT_NE(train.find("ops")->find("conv_dw 3x3"), nullptr);
}

TEST_F(CliBench, TheDirectProfileMultipliesWhatItCounts) {
  const Json json = bench({"--batch", "1", "--profile", "f32-direct"});
  EXPECT_EQ(json.find("profile")->text, "f32-direct");
  const Json& forward = *json.find("forward");
  EXPECT_EQ(sum_of_ops(forward, "real_gflop"), sum_of_ops(forward, "direct_gflop"));
  // Its limit is all of the graph's products at the peak, none of them at a quarter.
  const double products = products_of(forward);
  EXPECT_NEAR(limit_of(json), products, products * kRounding);
  // The engine may do less: what depends on the time alone is a table.
  EXPECT_LE(sum_of_ops(forward, "real_gflop"), products * (1 + kRounding));
}

TEST_F(CliBench, TimesAreOfOneImageAndNotOfTheBatch) {
  const Json json = bench({"--batch", "64"});
  // The rows' means are divided on a way of their own. A busy machine lengthens them, hardly the
  // median; a median of whole batches would be some 64 times their sum, and 8 is half-way.
  const Json& forward = *json.find("forward");
  EXPECT_LT(number(forward, "ms_per_image"), 8 * sum_of_ops(forward, "ms_per_image"));
}

// F(4x4, 3x3) needs 36 multiply-adds for the 144 of a direct computation.
TEST_F(CliBench, TheLimitOfF32TakesAQuarterOfTheThreeByThrees) {
  const Json json = bench({"--batch", "1"});
  const Json& forward = *json.find("forward");
  const double quartered = number(*forward.find("ops")->find("conv 3x3"), "direct_gflop");
  EXPECT_GT(quartered, 0);
  const double want = products_of(forward) - 0.75 * quartered;
  EXPECT_NEAR(limit_of(json), want, want * kRounding);
}

TEST_F(CliBench, AModelIsMeasuredAsItsConfigurationIs) {
  train();
  const Outcome outcome = ddpm({"bench", "runs/tiny", "--batch", "1"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  for (const char* words : {"FMA peak", "forward", "of limit", "conv 3x3", "MiB"}) {
    EXPECT_THAT(outcome.out, HasSubstr(words));
  }
  const double gflop = number(*bench({"--batch", "1"}).find("forward"), "direct_gflop_per_image");
  EXPECT_THAT(outcome.out, HasSubstr(fmt::format("{:.3f} GFLOP of convolutions", gflop)));
}

TEST_F(CliBench, WhatCannotBeMeasuredIsRefused) {
  refuse({"bench"}, 2, "what is required");
  refuse({"bench", "tiny.toml", "--batch", "0"}, 2, "--batch");
  refuse({"bench", "tiny.toml", "--batch", "-1"}, 2, "--batch");
  refuse({"bench", "tiny.toml", "--profile", "f32-dirct"}, 2, "try 'f32-direct'");
  refuse({"bench", "tiny.toml", "--threads", "x"}, 2, "--threads");
  refuse({"bench", "nowhere"}, 3, "nowhere");
  refuse({"bench", "nowhere.toml"}, 3, "nowhere.toml");
  folder_.write("wrong.toml", tiny_config("d") + "[extra]\nkey = 1\n");
  refuse({"bench", "wrong.toml"}, 2, "extra");
}

TEST_F(CliBench, NeedsNoDataOfTheConfiguration) {
  folder_.write("tiny.toml", tiny_config("no-such-folder"));
  EXPECT_GT(number(bench({"--batch", "1"}), "ms_per_image_forward"), 0);
}

}  // namespace
}  // namespace ddpm::test
