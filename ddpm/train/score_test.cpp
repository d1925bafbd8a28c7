// Scores in the loop, and the checkpoint of the best.
#include "ddpm/train/score.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <csignal>
#include <stdexcept>

#include "ddpm/engine/runner.h"
#include "ddpm/net/strict_json.h"
#include "ddpm/train/fake_run.h"

namespace ddpm {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr int kCount = 5;

void score_every_fifth_step(FakeRun& run, bool keep_best = true) {
  run.config.train.keep = 1;
  run.config.train.score_every = 5;
  run.config.train.score_count = kCount;
  run.config.train.keep_best = keep_best;
}

// Scores as they are told, one after another.
void tell(FakeRun& run, std::vector<double> scores) {
  run.scorer.change = [scores, i = std::size_t{0}](double) mutable { return scores.at(i++); };
}

// The mean square falls from 141 to 136: this does so until step 20, and then rises.
double best_in_the_middle(double value) { return std::abs(value - 139); }

struct Line {
  std::int64_t step;
  double score;
  std::string of;
};

std::vector<Line> scores_of(const fs::path& run) {
  std::vector<Line> lines;
  std::istringstream text(slurp(run / "metrics.jsonl"));
  for (std::string line; std::getline(text, line);) {
    const Json json = parse_json(line, "line").value();
    const Json* score = json.find("score");
    if (score) {
      lines.push_back({*json.find("step")->integer(), *score->real(), json.find("score_of")->text});
    }
  }
  return lines;
}

std::vector<std::string> checkpoints_of(const fs::path& run) {
  std::vector<std::string> left;
  for (const fs::path& folder : CheckpointStore(run).list()) left.push_back(folder.filename());
  return left;
}

TEST(Scores, AreOfTheAveragesSamplesByThePlan) {
  const TempFolder folder;
  FakeRun run(folder / "run");
  score_every_fifth_step(run);
  run.config.train.score_plan = "ddim:3";
  run.train();
  EXPECT_EQ(run.observer.scores, (Steps{5, 10, 15, 20, 25, 30}));
  EXPECT_EQ(run.scorer.drawn, 6 * kCount);
  FakeDenoiser denoiser(Shape{2, 4, 4}, run.learner.ema(), 16);
  std::vector<float> x(kCount * 32);
  start_noise(7, 0, denoiser.shape(), x);
  run_plan(parse_plan("ddim:3", run.schedule, {}), denoiser, x, philox_noise(7, 0));
  double sum = 0;
  for (const float value : x) sum += value * value;
  const std::vector<Line> lines = scores_of(folder / "run");
  ASSERT_EQ(lines.size(), 6U);
  EXPECT_EQ(lines.back().step, 30);
  EXPECT_EQ(lines.back().score, sum);
  EXPECT_EQ(lines.back().of, "mean square of 5 images by ddim:3 to fake");
}

TEST(Scores, GoThroughTheClassesInTurn) {
  class Echo : public Denoiser {
   public:
    std::vector<int> labels;
    void predict(std::span<const float> x, std::span<const double>, std::span<const int> label,
                 std::span<float> out) override {
      labels.insert(labels.end(), label.begin(), label.end());
      std::copy(x.begin(), x.end(), out.begin());
    }
    Shape shape() const override { return {1, 1, 1}; }
    int max_batch() const override { return 16; }
  } denoiser;
  RunConfig config = fake_config();
  config.net.num_classes = 3;
  config.train.score_count = 4;
  const Schedule schedule = Schedule::linear();
  FakeScorer scorer;
  const Plan plan = parse_plan("ddim:1", schedule, {});
  score_samples(config, plan, denoiser, scorer, [] { return false; }, [](std::int64_t) {});
  EXPECT_THAT(denoiser.labels, ElementsAre(0, 1, 2, 0));
}

TEST(Scores, ChangeNoCheckpoint) {
  const TempFolder folder;
  FakeRun with(folder / "with"), without(folder / "without");
  score_every_fifth_step(with, /*keep_best=*/false);
  without.config.train.keep = 1;
  with.train();
  without.train();
  EXPECT_EQ(snapshot(folder / "with/checkpoints"), snapshot(folder / "without/checkpoints"));
  EXPECT_FALSE(fs::exists(folder / "with/best"));
}

TEST(Scores, TheBestCheckpointStaysWhateverKeepSays) {
  const TempFolder folder;
  FakeRun run(folder / "run");
  score_every_fifth_step(run);
  tell(run, {9, 2, 5, 2, 3, 8});
  run.train();
  EXPECT_EQ(run.observer.bests, (Steps{5, 10}));
  EXPECT_EQ(slurp(folder / "run/best"), "step-00000010\n");
  EXPECT_THAT(checkpoints_of(folder / "run"), ElementsAre("step-00000030", "step-00000010"));
  EXPECT_TRUE(verify_checkpoint(folder / "run/checkpoints/step-00000010"));
}

TEST(Scores, TheBestIsSavedBetweenSavesToo) {
  const TempFolder folder;
  FakeRun run(folder / "run");
  score_every_fifth_step(run);
  tell(run, {9, 8, 7, 6, 1, 8});
  run.train();
  EXPECT_EQ(run.observer.checkpoints, (Steps{5, 10, 15, 20, 25, 30}));
  EXPECT_EQ(slurp(folder / "run/best"), "step-00000025\n");
  EXPECT_THAT(checkpoints_of(folder / "run"), ElementsAre("step-00000030", "step-00000025"));
}

// The run ends at step k, or is killed after it, and goes on: with all files, RUN/best and the
// score in later checkpoints as if nothing had happened.
TEST(Scores, AStoppedRunGoesOnToTheSameBest) {
  const TempFolder whole;
  FakeRun run(whole / "run");
  score_every_fifth_step(run);
  run.scorer.change = best_in_the_middle;
  run.train();
  ASSERT_EQ(run.observer.bests, (Steps{5, 10, 15, 20}));
  const auto expected = snapshot(whole / "run");
  for (const bool killed : {false, true}) {
    for (std::int64_t k = 1; k <= 30; ++k) {
      const TempFolder folder;
      FakeRun first(folder / "run"), second(folder / "run");
      for (FakeRun* part : {&first, &second}) {
        score_every_fifth_step(*part);
        part->scorer.change = best_in_the_middle;
      }
      first.observer.after_step = [&](std::int64_t step) {
        if (step != k) return;
        if (killed) throw std::runtime_error("killed");
        first.signal = SIGTERM;
      };
      try {
        first.train();
      } catch (const std::runtime_error&) {
      }
      second.train();
      ASSERT_EQ(snapshot(folder / "run"), expected) << k << killed;
    }
  }
}

// Stopped after so many samples of the score of step 20, which is not logged and made up for.
TEST(Scores, AreStoppedWhileSamplesAreDrawn) {
  const TempFolder folder;
  FakeRun whole(folder / "whole"), first(folder / "run"), second(folder / "run");
  for (FakeRun* run : {&whole, &first, &second}) score_every_fifth_step(*run);
  whole.train();
  class Stopping : public RecordingObserver {
   public:
    std::atomic<int>* signal = nullptr;
    void on_scoring(std::int64_t step, std::int64_t drawn, std::int64_t count) override {
      EXPECT_EQ(count, kCount);
      if (step == 20 && drawn == 3) *signal = SIGINT;
    }
  } observer;
  observer.signal = &first.signal;
  EXPECT_EQ(first.train(observer).step, 20);
  EXPECT_EQ(scores_of(folder / "run").back().step, 15);
  second.train();
  EXPECT_EQ(second.observer.scores.front(), 20);
  EXPECT_EQ(snapshot(folder / "run"), snapshot(folder / "whole"));
}

TEST(Scores, ACheckpointCarriesTheBestElsewhere) {
  const TempFolder folder;
  FakeRun whole(folder / "whole"), elsewhere(folder / "elsewhere");
  for (FakeRun* run : {&whole, &elsewhere}) {
    score_every_fifth_step(*run);
    run->config.train.keep = 10;
  }
  tell(whole, {9, 2, 5, 6, 3, 8});
  whole.train();
  tell(elsewhere, {6, 3, 8});  // step 20 again: its score came after the checkpoint
  elsewhere.options.resume = (folder / "whole/checkpoints/step-00000020").string();
  elsewhere.train();
  EXPECT_TRUE(elsewhere.observer.bests.empty());
  EXPECT_FALSE(fs::exists(folder / "elsewhere/best"));
  EXPECT_EQ(snapshot(folder / "elsewhere/checkpoints/step-00000030"),
            snapshot(folder / "whole/checkpoints/step-00000030"));
}

TEST(Scores, OfAnotherKindDoNotCompare) {
  const TempFolder folder;
  FakeRun run(folder / "run"), longer(folder / "run");
  score_every_fifth_step(run);
  score_every_fifth_step(longer);
  tell(run, {9, 2, 5, 6, 3, 8});
  run.train();
  longer.config.train.steps = 40;
  longer.config.train.score_count = kCount + 1;
  tell(longer, {7, 4, 5});  // of step 30 anew
  longer.train();
  EXPECT_EQ(longer.observer.bests, (Steps{30, 35}));
  EXPECT_EQ(slurp(folder / "run/best"), "step-00000035\n");
  EXPECT_FALSE(fs::exists(folder / "run/checkpoints/step-00000010"));
}

TEST(Scores, MayBeginInARunThatHadNone) {
  const TempFolder folder;
  FakeRun run(folder / "run"), longer(folder / "run");
  run.train();
  score_every_fifth_step(longer);
  longer.config.train.steps = 35;
  tell(longer, {1, 2});
  longer.train();
  EXPECT_EQ(longer.observer.bests, (Steps{30}));
  EXPECT_EQ(slurp(folder / "run/best"), "step-00000030\n");
}

TEST(Scores, ThatThereAreNotAreWarnedAboutAndTheRunGoesOn) {
  for (const bool thrown : {true, false}) {
    const TempFolder folder;
    FakeRun run(folder / "run");
    score_every_fifth_step(run);
    run.scorer.change = [&](double) {
      if (thrown) throw Error(ExitCode::bad_input, "[test] no score");
      return std::nan("");
    };
    EXPECT_EQ(run.train().step, 30);
    ASSERT_EQ(run.observer.warnings.size(), 6U);
    EXPECT_THAT(run.observer.warnings[0], HasSubstr(thrown ? "no score" : "got nan"));
    EXPECT_TRUE(scores_of(folder / "run").empty());
  }
}

}  // namespace
}  // namespace ddpm
