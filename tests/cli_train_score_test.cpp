// `ddpm train` with scores on the way, in the features of a small classifier.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "ddpm/net/strict_json.h"
#include "tests/cli_fixture.h"
#include "tests/tiny_models.h"

namespace ddpm::test {
namespace {

using testing::HasSubstr;
using testing::Not;

class TrainScores : public Cli {
 protected:
  void SetUp() override {
    Cli::SetUp();
    folder_.write("eval-idx3-ubyte", idx_images(20, 8));
    write("clean", {.noisy = false});
  }

  void write(const std::string& name, const TinyClassifier& what) const {
    write_files(folder_, name, classifier_files(tiny_classifier(what)));
  }

  Outcome scored(const std::string& features, const Words& more = {}) const {
    Words words = {"train", "tiny.toml", "--threads", "1"};
    for (const std::string& set :
         {std::string("data.eval=eval-idx3-ubyte"), std::string("train.score_every=2"),
          std::string("train.score_count=12"), "train.score_features=" + features}) {
      words.insert(words.end(), {"--set", set});
    }
    words.insert(words.end(), more.begin(), more.end());
    return ddpm(words);
  }

  // The lines of metrics.jsonl that are scores.
  std::vector<Json> scores() const {
    std::vector<Json> found;
    std::istringstream text(bytes("runs/tiny/metrics.jsonl"));
    for (std::string line; std::getline(text, line);) {
      Json json = parse_json(line, "line").value();
      if (json.find("score")) found.push_back(std::move(json));
    }
    return found;
  }

  void expect_refused(const std::string& features, int code, const std::string& why,
                      const Words& more = {}) const {
    const Outcome outcome = scored(features, more);
    EXPECT_EQ(outcome.code, code) << outcome.err;
    EXPECT_THAT(outcome.err, HasSubstr(why));
    EXPECT_FALSE(std::filesystem::exists(folder_ / "runs")) << why;
  }
};

TEST_F(TrainScores, AreWhatMetricsSaysOfTheCheckpoint) {
  const Outcome outcome = scored("clean", {"--set", "train.keep_best=true"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.err, HasSubstr("step 2: "));
  EXPECT_THAT(outcome.err, HasSubstr(", the best so far, FD (classifier:clean bytes "));
  EXPECT_THAT(outcome.err, Not(HasSubstr("warning")));
  const std::vector<Json> lines = scores();
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_THAT(lines[0].find("score_of")->text,
              HasSubstr(" of 12 images by ddim:4 to eval-idx3-ubyte"));
  const Words metrics = {"metrics", "",       "eval-idx3-ubyte", "--features", "clean", "-n",
                         "12",      "--plan", "ddim:4",          "--k",        "2",     "--splits",
                         "2",       "--json"};
  for (const Json& line : lines) {
    Words words = metrics;
    words[1] = fmt::format("runs/tiny/checkpoints/step-{:08}", *line.find("step")->integer());
    const Outcome said = ddpm(words);
    ASSERT_EQ(said.code, 0) << said.err;
    EXPECT_EQ(parse_json(said.out, "metrics").value().find("fd")->real(),
              line.find("score")->real());
  }
  const bool second = *lines[1].find("score")->real() < *lines[0].find("score")->real();
  EXPECT_EQ(bytes("runs/tiny/best"), second ? "step-00000004\n" : "step-00000002\n");
  EXPECT_THAT(ddpm({"info", "runs/tiny/best"}).out,
              HasSubstr(second ? "step-00000004" : "step-00000002"));
  EXPECT_EQ(ddpm({"sample", "runs/tiny/best", "-n", "1", "--plan", "ddim:2"}).code, 0);
}

TEST_F(TrainScores, OfTooFewSamplesAreWarnedAbout) {
  const Outcome outcome = scored("clean", {"--set", "train.score_count=8"});
  EXPECT_EQ(outcome.code, 0);
  EXPECT_THAT(outcome.err, HasSubstr("score_count = 8 is no more than the 8 features"));
}

TEST_F(TrainScores, ThatCannotBeAreRefusedBeforeTheRunBegins) {
  write("noisy", {});
  write("large", {.side = 16, .noisy = false});
  expect_refused("noisy", 3, "got a classifier of noisy images");
  expect_refused("large", 3, "got images of 1 x 8 x 8");
  expect_refused("nothing", 3, "got 'nothing', expected");
  expect_refused("inceptoin", 2, "got inceptoin, expected inception");
  expect_refused("clean", 3, "gone-idx3-ubyte", {"--set", "data.eval=gone-idx3-ubyte"});
  expect_refused("clean", 2, "train.score_every: got 2 without held-out images",
                 {"--set", "data.eval=\"\""});
  expect_refused("clean", 2, "train.score_plan: ", {"--set", "train.score_plan=ddim:21"});
}

}  // namespace
}  // namespace ddpm::test
