#include "ddpm/train/metrics.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>

#include "ddpm/net/strict_json.h"
#include "ddpm/train/fake_run.h"

namespace ddpm {
namespace {

std::string line(std::int64_t step) {
  return to_json({.step = step,
                  .loss = 0.1,
                  .gradient_norm = 1.0 / 3,
                  .learning_rate = 4e-8,
                  .images = step * 128,
                  .seconds = 0.25});
}

std::string eval_line(std::int64_t step, double loss) {
  return to_json(step, HeldOut{.loss = loss, .bits_per_dim = {}, .accuracy = {}});
}

TEST(Metrics, LinesAreJsonWhoseNumbersReadBackExactly) {
  const auto json = parse_json(line(5), "line");
  ASSERT_TRUE(json) << json.error().message;
  EXPECT_EQ(json->find("step")->integer(), 5);
  EXPECT_EQ(json->find("gradient_norm")->real(), 1.0 / 3);
  EXPECT_EQ(json->find("learning_rate")->real(), 4e-8);
  EXPECT_EQ(json->find("images")->integer(), 640);
  EXPECT_EQ(eval_line(5, 0.03), R"({"step":5,"eval_loss":0.03})");
  const HeldOut held_out{.loss = 0.1, .bits_per_dim = 2.5, .accuracy = 0.875};
  EXPECT_EQ(to_json(5, held_out),
            R"({"step":5,"eval_loss":0.1,"eval_bits_per_dim":2.5,"eval_accuracy":0.875})");
}

TEST(MetricsLog, CutsLinesAfterTheResumedStepAndTornOnes) {
  const TempFolder folder;
  const std::string kept = line(1) + "\n" + line(2) + "\n" + eval_line(2, 0.5) + "\n";
  const auto path =
      folder.write("m.jsonl", kept + line(3) + "\n" + "{\"step\":1,\"lo\n" + "{\"step\":2");
  MetricsLog log(path, 2);
  EXPECT_EQ(slurp(path), kept);
  EXPECT_TRUE(log.evaluated());
  EXPECT_TRUE(log.append(line(3)));
  EXPECT_EQ(slurp(path), kept + line(3) + "\n");
}

TEST(MetricsLog, KnowsWhetherTheLastStepWasEvaluated) {
  const TempFolder folder;
  const auto path =
      folder.write("m.jsonl", line(1) + "\n" + eval_line(1, 0.5) + "\n" + line(2) + "\n");
  EXPECT_FALSE(MetricsLog(path, 2).evaluated());
  EXPECT_TRUE(MetricsLog(path, 1).evaluated());
}

TEST(MetricsLog, KnowsTheScoreOfTheLastStepAlone) {
  const TempFolder folder;
  const Score one{1.0 / 3, "a \"b\" of 5 images"}, two{0.5, "c"};
  const auto path = folder.write(
      "m.jsonl", line(1) + "\n" + to_json(1, one) + "\n" + line(2) + "\n" + to_json(2, two) + "\n");
  EXPECT_EQ(MetricsLog(path, 3).score(), std::nullopt);
  EXPECT_EQ(MetricsLog(path, 2).score(), two);
  EXPECT_EQ(MetricsLog(path, 1).score(), one);
}

// A full disk, as RLIMIT_FSIZE: half a line fits, none is kept; when there is room again all lines
// are there, in order.
TEST(MetricsLog, LinesWaitWhileTheDiskIsFull) {
  const TempFolder folder;
  const auto path = folder / "m.jsonl";
  MetricsLog log(path, 0);
  ASSERT_TRUE(log.append(line(1)));
  rlimit old{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &old), 0);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit small{line(1).size() + 20, old.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  const bool second = log.append(line(2)), third = log.append(line(3));
  ::setrlimit(RLIMIT_FSIZE, &old);
  std::signal(SIGXFSZ, handler);
  EXPECT_FALSE(second || third);
  EXPECT_EQ(slurp(path), line(1) + "\n");
  EXPECT_TRUE(log.sync());
  EXPECT_EQ(slurp(path), line(1) + "\n" + line(2) + "\n" + line(3) + "\n");
}

}  // namespace
}  // namespace ddpm
