#include "ddpm/train/loop.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <stdexcept>

#include "ddpm/image/png.h"
#include "ddpm/train/evaluate.h"
#include "ddpm/train/fake_run.h"

namespace ddpm {
namespace {

namespace fs = std::filesystem;

// What the fake run of 30 steps leaves when nothing happens to it.
std::map<std::string, std::string> uninterrupted(int keep = 2) {
  const TempFolder folder;
  FakeRun run(folder / "run");
  run.config.train.keep = keep;
  run.train();
  return snapshot(folder / "run");
}

int lines_of(const std::string& text) { return static_cast<int>(std::ranges::count(text, '\n')); }

TEST(TrainWith, LeavesConfigMetricsSamplesAndTheNewestCheckpoints) {
  const TempFolder folder;
  FakeRun run(folder / "run");
  const TrainOutcome outcome = run.train();
  EXPECT_EQ(outcome.step, 30);
  EXPECT_EQ(outcome.signal, 0);
  EXPECT_EQ(outcome.checkpoint, folder / "run/checkpoints/step-00000030");
  EXPECT_EQ(run.observer.first_step, 1);
  EXPECT_EQ(run.observer.checkpoints, (Steps{10, 20, 30}));
  EXPECT_EQ(run.observer.samples, (Steps{10, 20, 30}));
  EXPECT_TRUE(run.observer.warnings.empty()) << run.observer.warnings[0];
  auto files = snapshot(folder / "run");
  EXPECT_EQ(lines_of(files["metrics.jsonl"]), 30 + 6);  // steps and evaluations
  EXPECT_EQ(files["latest"], "step-00000030\n");
  EXPECT_FALSE(files.contains("checkpoints/step-00000010/manifest.json"));  // keep = 2
  EXPECT_TRUE(files.contains("checkpoints/step-00000020/manifest.json"));
  const auto grid = read_png(folder / "run/samples/step-00000030.png");
  ASSERT_TRUE(grid) << grid.error().message;
  EXPECT_EQ(grid->width, 2 * 4 + 3 * 2);  // two columns of 4 pixels, gaps of 2
}

TEST(TrainWith, LossFalls) {
  const TempFolder folder;
  FakeRun run(folder / "run");
  run.config.train.steps = 400;
  double first = 0, last = 0;
  Schedule s = Schedule::linear();
  FakeDenoiser before(Shape{2, 4, 4}, run.learner.ema(), 16);
  first = evaluate_held_out(run.held_out, s, {.count = 9}, before)->loss;
  run.train();
  FakeDenoiser after(Shape{2, 4, 4}, run.learner.ema(), 16);
  last = evaluate_held_out(run.held_out, s, {.count = 9}, after)->loss;
  // The best linear map of x_t takes more than half of eps's variance away at most t.
  EXPECT_LT(last, 0.7 * first);
}

TEST(TrainWith, TwoRunsLeaveTheSameFiles) {
  const TempFolder folder;
  FakeRun run(folder / "run");
  run.train();
  EXPECT_EQ(snapshot(folder / "run"), uninterrupted());
}

// The signal comes during step k; whatever k is, the resumed run ends with the files of
// an uninterrupted one.
TEST(TrainWith, StoppedByASignalAnywhereAndResumedLeavesTheSameFiles) {
  const auto expected = uninterrupted(1);
  for (std::int64_t k = 1; k <= 30; ++k) {
    const TempFolder folder;
    FakeRun run(folder / "run");
    run.config.train.keep =
        1;  // the extra checkpoint of step k is not one of the uninterrupted run's
    run.observer.after_step = [&](std::int64_t step) {
      if (step == k) run.signal = SIGTERM;
    };
    const TrainOutcome outcome = run.train();
    EXPECT_EQ(outcome.step, k);
    EXPECT_EQ(outcome.signal, SIGTERM);
    ASSERT_EQ(outcome.checkpoint.filename(), step_name(k));
    FakeRun again(folder / "run");
    again.config.train.keep = 1;
    again.train();
    EXPECT_EQ(again.observer.first_step, k + 1);
    const auto files = snapshot(folder / "run");
    ASSERT_EQ(names(files), names(expected)) << k;
    ASSERT_EQ(files, expected) << k;
  }
}

// What a kill -9 between two saves leaves: metrics and samples beyond the newest checkpoint.
TEST(TrainWith, ResumedFromAnOlderCheckpointLeavesTheSameFiles) {
  const TempFolder folder;
  FakeRun run(folder / "run");
  run.observer.after_step = [&](std::int64_t step) {
    if (step == 25) throw std::runtime_error("killed");
  };
  EXPECT_THROW(run.train(), std::runtime_error);
  std::ofstream(folder / "run/samples/step-00000024.png") << "of a step that is trained again";
  FakeRun again(folder / "run");
  again.train();
  EXPECT_EQ(again.observer.first_step, 21);
  EXPECT_EQ(snapshot(folder / "run"), uninterrupted());
}

// R-3 for a time sampler that learns: its losses come back bit for bit.
TEST(TrainWith, ATimeSamplersStateIsResumed) {
  const auto prepare = [](FakeRun& run) {
    run.schedule = Schedule::linear(8, 0.02, 0.5);  // warm after about 20 draws
    run.config.diffusion.loss = "kl";
    run.config.diffusion.time_sampler = "loss_second_moment,history=1";
  };
  const TempFolder folder;
  FakeRun whole(folder / "whole"), stopped(folder / "run"), again(folder / "run");
  for (FakeRun* run : {&whole, &stopped, &again}) prepare(*run);
  whole.train();
  stopped.observer.after_step = [&](std::int64_t step) {
    if (step == 19) throw std::runtime_error("killed");
  };
  EXPECT_THROW(stopped.train(), std::runtime_error);
  again.train();
  EXPECT_EQ(again.observer.first_step, 11);
  EXPECT_EQ(snapshot(folder / "run"), snapshot(folder / "whole"));
  const auto state = folder / "run/checkpoints/step-00000030/train_state/time_sampler.safetensors";
  EXPECT_TRUE(fs::exists(state));
  // A checkpoint of another sampler is no start.
  FakeRun other(folder / "run");
  prepare(other);
  other.config.train.steps = 40;
  other.config.diffusion.time_sampler = "loss_second_moment,history=2";
  EXPECT_THROW(other.train(), Error);
}

TEST(TrainWith, ALossWithABoundIsEvaluatedInBitsPerDim) {
  const TempFolder folder;
  FakeRun simple(folder / "simple"), bound(folder / "bound");
  bound.config.diffusion.loss = "rescaled_kl";
  simple.train();
  bound.train();
  const auto has_bits = [&](const char* run) {
    return slurp(folder / run / "metrics.jsonl").find("\"eval_bits_per_dim\":") !=
           std::string::npos;
  };
  EXPECT_FALSE(has_bits("simple"));
  EXPECT_TRUE(has_bits("bound"));
}

TEST(TrainWith, FallsBackFromABrokenNewestCheckpointToTheSameResult) {
  const TempFolder folder;
  FakeRun run(folder / "run");
  run.observer.after_step = [&](std::int64_t step) {
    if (step == 25) run.signal = SIGINT;
  };
  run.train();
  fs::resize_file(folder / "run/checkpoints/step-00000025/train_state/raw.safetensors", 10);
  FakeRun again(folder / "run");
  again.train();
  EXPECT_EQ(again.observer.first_step, 21);
  EXPECT_FALSE(again.observer.warnings.empty());
  fs::remove_all(folder / "run/checkpoints/step-00000025.broken-1");
  EXPECT_EQ(snapshot(folder / "run"), uninterrupted());
}

TEST(TrainWith, TheResultDoesNotDependOnThreadsOrMicroBatches) {
  std::map<std::string, std::string> first;
  for (const int micro_batch : {0, 32, 64}) {
    const TempFolder folder;
    FakeRun run(folder / "run");
    run.config.train.batch = 64;
    run.config.train.micro_batch = micro_batch;
    run.train();
    auto files = snapshot(folder / "run");
    files.erase("config.toml");
    if (first.empty()) first = files;
    EXPECT_EQ(files, first) << micro_batch;
  }
}

TEST(TrainWith, UserSignalSavesAndGoesOn) {
  const TempFolder folder;
  FakeRun run(folder / "run");
  run.config.train.keep = 10;
  run.observer.after_step = [&](std::int64_t step) {
    if (step == 4 || step == 10) run.signal = SIGUSR1;
  };
  EXPECT_EQ(run.train().signal, 0);
  EXPECT_EQ(run.observer.checkpoints, (Steps{4, 10, 20, 30}));
}

TEST(TrainWith, ASignalBeforeTheFirstStepTrainsNothing) {
  const TempFolder folder;
  FakeRun run(folder / "run");
  run.signal = SIGINT;
  const TrainOutcome outcome = run.train();
  EXPECT_EQ(outcome.step, 0);
  EXPECT_EQ(outcome.signal, SIGINT);
  EXPECT_TRUE(outcome.checkpoint.empty());
}

TEST(TrainWith, AFinishedRunIsLeftAloneAndALongerOneGoesOn) {
  const TempFolder folder;
  FakeRun(folder / "run").train();
  FakeRun again(folder / "run");
  EXPECT_EQ(again.train().step, 30);
  EXPECT_EQ(snapshot(folder / "run"), uninterrupted());
  FakeRun longer(folder / "run");
  longer.config.train.steps = 45;
  EXPECT_EQ(longer.train().checkpoint.filename(), "step-00000045");
  EXPECT_EQ(longer.observer.first_step, 31);
}

}  // namespace
}  // namespace ddpm
