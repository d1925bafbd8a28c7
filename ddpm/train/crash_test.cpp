// A run that is killed after each of its system calls in turn, and one in which each write in turn
// fails.
#include <gtest/gtest.h>

#include <algorithm>

#include "ddpm/train/fake_run.h"
#include "ddpm/train/traced_child.h"

namespace ddpm {
namespace {

// Two saves, of which the second replaces the first; a step between a save and the end.
void shorten(RunConfig& config) {
  config.train.steps = 3;
  config.train.save_every = 2;
  config.train.sample_every = 2;
  config.train.eval_every = 2;
  config.train.sample_count = 1;
  config.train.eval_count = 2;
  config.train.keep = 1;
  config.train.score_every = 2;
  config.train.score_count = 2;
  config.train.keep_best = true;
}

int train_short(const std::filesystem::path& folder) {
  FakeRun run(folder);
  shorten(run.config);
  try {
    run.train();
    return 0;
  } catch (const Error& e) {
    return static_cast<int>(e.code());
  }
}

std::map<std::string, std::string> files_uninterrupted() {
  const TempFolder folder;
  train_short(folder / "run");
  return snapshot(folder / "run");
}

// whatever is on disk after any system call, a checkpoint that is there verifies, and the
// run resumed from it ends with the files of an files_uninterrupted one.
TEST(Crash, AKillAfterAnySystemCallResumesToTheSameFiles) {
  const auto expected = files_uninterrupted();
  for (int n = 1;; ++n) {
    const TempFolder folder;
    const ChildEnd end = kill_after_call(n, [&] { return train_short(folder / "run"); });
    if (!end.traced) GTEST_SKIP() << "cannot trace processes here";
    CheckpointStore store(folder / "run");
    for (const auto& checkpoint : store.list()) {
      const auto ok = verify_checkpoint(checkpoint);
      ASSERT_TRUE(ok) << n << ": " << ok.error().message;
    }
    ASSERT_EQ(train_short(folder / "run"), 0) << n;
    ASSERT_EQ(snapshot(folder / "run"), expected) << n;
    if (!end.killed) {
      EXPECT_GT(n, 50);  // otherwise nothing was counted
      return;
    }
  }
}

#if defined(__x86_64__)
// three files and the manifest, three folders; the rename that makes the checkpoint;
// checkpoints/ and the run folder; then `latest`: file, rename, folder.
TEST(Crash, ASaveSyncsFilesThenFoldersThenRenamesThenSyncsTheParent) {
  const TempFolder folder;
  const CheckpointInfo info{.step = 1, .version = "v", .numerics = 1, .config = "c"};
  const std::string calls = syncs_and_renames([&] {
    CheckpointStore(folder.path())
        .save(info,
              {{"model_index.json", [] { return "{}"; }},
               {"unet/w.bin", [] { return "w"; }},
               {kStateFile, [&] { return encode_info(info); }}},
              1, [](const std::string&) {});
    return 0;
  });
  if (calls.empty()) GTEST_SKIP() << "cannot trace processes here";
  EXPECT_EQ(calls,
            "ffff"
            "fff"
            "r"
            "ff"
            "frf");
}

// the disk is full, or broken, at one call. The run goes on or ends with exit code 4; the next
// one makes up for it.
TEST(Crash, AnyFailedWriteOrSyncLosesNothing) {
  const auto expected = files_uninterrupted();
  for (const int error : {ENOSPC, EIO}) {
    for (int n = 1;; ++n) {
      const TempFolder folder;
      const ChildEnd end = fail_call(n, error, [&] { return train_short(folder / "run"); });
      if (!end.traced) GTEST_SKIP() << "cannot trace processes here";
      ASSERT_TRUE(end.exit_code == 0 || end.exit_code == static_cast<int>(ExitCode::resources))
          << n << ": exit code " << end.exit_code;
      for (const auto& [name, bytes] : snapshot(folder.path())) {
        ASSERT_EQ(name.find(".tmp-"), std::string::npos) << n << ": " << name;
      }
      for (const auto& checkpoint : CheckpointStore(folder / "run").list()) {
        ASSERT_TRUE(verify_checkpoint(checkpoint)) << n;
      }
      ASSERT_EQ(train_short(folder / "run"), 0) << n;
      auto files = snapshot(folder / "run"), wanted = expected;
      // A grid that could not be written when it was due is missed, unless the run resumes at its
      // step.
      for (auto* some : {&files, &wanted}) {
        if (!files.contains("samples/step-00000002.png")) some->erase("samples/step-00000002.png");
      }
      ASSERT_EQ(names(files), names(wanted)) << n;
      ASSERT_EQ(files, wanted) << n;
      if (end.calls < n) {
        EXPECT_GT(n, 20);
        break;
      }
    }
  }
}
#endif

}  // namespace
}  // namespace ddpm
