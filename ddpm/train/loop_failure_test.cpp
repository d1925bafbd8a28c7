// Runs that meet a full disk or a NaN.
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/resource.h>

#include <algorithm>
#include <cmath>
#include <csignal>

#include "ddpm/train/fake_run.h"
#include "ddpm/train/finite.h"

namespace ddpm {
namespace {

namespace fs = std::filesystem;

/// While it lives, files cannot grow beyond `bytes`: a disk that is full, without being root.
class SmallFiles {
 public:
  SmallFiles() { ::getrlimit(RLIMIT_FSIZE, &old_); }
  ~SmallFiles() { lift(); }
  void limit(rlim_t bytes) {
    handler_ = std::signal(SIGXFSZ, SIG_IGN);
    const rlimit small{bytes, old_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &small);
  }
  void lift() {
    ::setrlimit(RLIMIT_FSIZE, &old_);
    std::signal(SIGXFSZ, handler_);
  }

 private:
  rlimit old_{};
  void (*handler_)(int) = SIG_DFL;
};

Error error_of(FakeRun& run) {
  try {
    run.train();
  } catch (const Error& e) {
    return e;
  }
  ADD_FAILURE() << "no error";
  return Error("none");
}

bool mentions(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

// Too small for any tensor file from step 15 to 25: the save of step 20 fails, that of 30
// succeeds.
TEST(FullDisk, AFailedSaveWarnsKeepsTheOldCheckpointAndIsTriedAgain) {
  const TempFolder folder;
  FakeRun run(folder / "run");
  SmallFiles files;
  Steps at_25;
  run.observer.after_step = [&](std::int64_t step) {
    if (step == 15) files.limit(200);
    if (step == 25) files.lift();
    if (step == 25) at_25 = run.observer.checkpoints;
  };
  run.train();
  EXPECT_EQ(at_25, (Steps{10}));
  EXPECT_EQ(run.observer.checkpoints, (Steps{10, 30}));
  ASSERT_FALSE(run.observer.warnings.empty());
  std::string all;
  for (const std::string& w : run.observer.warnings) all += w + "\n";
  EXPECT_TRUE(mentions(all, "step-00000020")) << all;
  EXPECT_TRUE(mentions(all, "bytes")) << all;
  EXPECT_TRUE(mentions(all, "step-00000010")) << all;
  const auto left = snapshot(folder / "run");
  for (const auto& [name, bytes] : left) EXPECT_FALSE(mentions(name, ".tmp-")) << name;
  // Nothing of metrics.jsonl is lost.
  EXPECT_EQ(std::ranges::count(left.at("metrics.jsonl"), '\n'), 36);
}

TEST(FullDisk, TheThirdFailureInARowEndsTheRunWithTheLastCheckpointIntact) {
  const TempFolder folder;
  FakeRun run(folder / "run");
  run.config.train.save_every = 5;
  SmallFiles files;
  std::int64_t last = 0;
  run.observer.after_step = [&](std::int64_t step) {
    last = step;
    if (step == 6) files.limit(200);
  };
  const Error e = error_of(run);
  files.lift();
  EXPECT_EQ(e.code(), ExitCode::resources);
  EXPECT_EQ(last, 20);  // 10, 15, 20
  EXPECT_TRUE(mentions(e.what(), "checkpoints/step-00000005")) << e.what();
  EXPECT_TRUE(verify_checkpoint(folder / "run/checkpoints/step-00000005"));
  FakeRun again(folder / "run");
  again.config.train.save_every = 5;
  EXPECT_EQ(again.train().step, 30);
  EXPECT_EQ(again.observer.first_step, 6);
}

TEST(FullDisk, OnlyFailuresInARowCount) {
  const TempFolder folder;
  FakeRun run(folder / "run");
  run.config.train.save_every = 2;
  SmallFiles files;
  run.observer.after_step = [&](std::int64_t step) {
    if (step == 1 || step == 7) files.limit(200);  // 2 and 4 fail, 8 and 10 fail
    if (step == 5 || step == 11) files.lift();
  };
  EXPECT_EQ(run.train().step, 30);
  EXPECT_EQ(run.observer.checkpoints.front(), 6);
}

TEST(FullDisk, ALastSaveThatFailsIsAnError) {
  const TempFolder folder;
  FakeRun run(folder / "run");
  SmallFiles files;
  run.observer.after_step = [&](std::int64_t step) {
    if (step == 29) files.limit(200);
  };
  const Error e = error_of(run);
  files.lift();
  EXPECT_EQ(e.code(), ExitCode::resources);
  EXPECT_TRUE(verify_checkpoint(folder / "run/checkpoints/step-00000020"));
}

// A real full disk: a small tmpfs, which takes root. Too small from the start: refused before the
// first step.
TEST(FullDisk, TooLittleSpaceIsRefusedBeforeTheFirstStep) {
  const TempFolder folder;
  if (::mount("tmpfs", folder.path().c_str(), "tmpfs", 0, "size=1m") != 0) {
    GTEST_SKIP() << "cannot mount a tmpfs here";
  }
  FakeRun run(folder / "run");
  const Error e = error_of(run);
  ::umount2(folder.path().c_str(), MNT_DETACH);
  EXPECT_EQ(e.code(), ExitCode::resources);
  EXPECT_TRUE(mentions(e.what(), (folder / "run").string())) << e.what();
  EXPECT_EQ(run.observer.first_step, -1);
}

//
TEST(NotFinite, ALossThatIsNanStopsTheRunAndNeverReachesACheckpoint) {
  const TempFolder folder;
  FakeRun run(folder / "run");
  run.learner.nan_at_step = 17;
  const Error e = error_of(run);
  EXPECT_EQ(e.code(), ExitCode::numeric);
  const std::string text = e.what();
  EXPECT_TRUE(mentions(text, "step 17") && mentions(text, "loss nan")) << text;
  EXPECT_TRUE(mentions(text, "gradient of gain.weight")) << text;
  EXPECT_TRUE(mentions(text, "checkpoints/step-00000010")) << text;
  EXPECT_EQ(run.observer.checkpoints, (Steps{10}));
  EXPECT_TRUE(verify_checkpoint(folder / "run/checkpoints/step-00000010"));
  EXPECT_EQ(first_not_finite(run.learner.params()), "");
}

TEST(NotFinite, AnInfiniteGradientStopsTheRun) {
  const TempFolder folder;
  FakeRun run(folder / "run");
  run.learner.infinite_gradient_at_step = 3;
  const Error e = error_of(run);
  EXPECT_EQ(e.code(), ExitCode::numeric);
  EXPECT_TRUE(mentions(e.what(), "gradient norm inf")) << e.what();
  EXPECT_TRUE(mentions(e.what(), "no checkpoint yet")) << e.what();
}

TEST(NotFinite, AWeightThatIsNanIsNotSaved) {
  const TempFolder folder;
  FakeRun run(folder / "run");
  run.observer.after_step = [&](std::int64_t step) {
    if (step == 20) run.learner.ema().tensor("gain.bias")[1] = std::nanf("");
  };
  const Error e = error_of(run);
  EXPECT_EQ(e.code(), ExitCode::numeric);
  EXPECT_TRUE(mentions(e.what(), "average of gain.bias")) << e.what();
  EXPECT_EQ(run.observer.checkpoints, (Steps{10}));
}

TEST(NotFinite, AnImageThatCannotBeReadStopsWithBadInput) {
  const TempFolder folder;
  FakeRun run(folder / "run");
  run.data.broken = 3;
  EXPECT_EQ(error_of(run).code(), ExitCode::bad_input);
}

}  // namespace
}  // namespace ddpm
