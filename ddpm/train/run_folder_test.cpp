#include "ddpm/train/run_folder.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>

#include "ddpm/train/fake_run.h"
#include "ddpm/train/run_config.h"

namespace ddpm {
namespace {

namespace fs = std::filesystem;

// A folder with checkpoints of steps 10, 20, 30.
TempFolder& trained() {
  static TempFolder folder;
  static const bool once = [] {
    FakeRun run(folder.path());
    run.config.train.keep = 5;
    run.train();
    return true;
  }();
  (void)once;
  return folder;
}

fs::path copy_of_trained(const TempFolder& into) {
  fs::copy(trained().path(), into / "run", fs::copy_options::recursive);
  return into / "run";
}

template <class F>
Error error_of(F f) {
  try {
    f();
  } catch (const Error& e) {
    return e;
  }
  ADD_FAILURE() << "no error";
  return Error("none");
}

TEST(ResultConfig, LeavesOutOnlyWhatMayChange) {
  RunConfig a = fake_config(), b = a;
  b.train.steps = 99;
  b.train.decay = 50;
  b.train.save_every = 1;
  b.train.sample_every = 1;
  b.train.keep = 9;
  b.train.micro_batch = 4;
  b.train.recompute = cpu::Recompute::blocks;
  b.train.score_every = 5;
  b.train.score_features = "other";
  b.train.score_count = 50;
  b.train.score_plan = "ddim:5";
  b.train.keep_best = true;
  EXPECT_EQ(result_config(a), result_config(b));
  EXPECT_TRUE(config_differences(result_config(a), result_config(b)).empty());
}

TEST(ResultConfig, DifferencesNameKeyAndBothValues) {
  RunConfig a = fake_config(), b = a;
  b.train.batch = 8;
  b.data.path = "a\nb = c";
  b.train.learning_rate = 0.010000000000000002;  // the next double
  const auto d = config_differences(result_config(a), result_config(b));
  ASSERT_EQ(d.size(), 3U);
  EXPECT_EQ(d[0].substr(0, 10), "data.path:");
  EXPECT_EQ(d[1], "train.batch: 4 then, 8 now");
  EXPECT_EQ(d[2], "train.learning_rate: 0.01 then, 0.010000000000000002 now");
}

// runs of versions that did not have the key yet can be resumed.
TEST(ResultConfig, AKeyYoungerThanTheCheckpointHadItsDefault) {
  RunConfig now = fake_config();
  std::string then = result_config(now);
  for (const char* key : {"loss = ", "time_sampler = "}) {
    const std::size_t begin = then.find(key);
    ASSERT_NE(begin, std::string::npos);
    then.erase(begin, then.find('\n', begin) + 1 - begin);
  }
  EXPECT_TRUE(config_differences(then, result_config(now)).empty());
  now.diffusion.loss = "min_snr";
  const auto d = config_differences(then, result_config(now));
  ASSERT_EQ(d.size(), 1U);
  EXPECT_EQ(d[0], "diffusion.loss: \"simple\" then, \"min_snr\" now");
}

TEST(ResultConfig, AYoungerKeyOfAClassifierHadItsDefaultToo) {
  RunConfig now = fake_config();
  now.classifier.emplace();
  std::string then = result_config(now);
  const std::size_t begin = then.find("noisy = ");
  ASSERT_NE(begin, std::string::npos);
  then.erase(begin, then.find('\n', begin) + 1 - begin);
  EXPECT_TRUE(config_differences(then, result_config(now)).empty());
  now.classifier->noisy = true;
  const auto d = config_differences(then, result_config(now));
  EXPECT_EQ(std::ranges::count(d, "classifier.noisy: false then, true now"), 1);
  // A checkpoint of a network is none of a classifier, whose keys have no defaults there.
  EXPECT_FALSE(config_differences(result_config(fake_config()), then).empty());
}

TEST(RunFolder, ConfigTomlIsWrittenOnceAndReadsBack) {
  const TempFolder folder;
  FakeRun run(folder / "a/b/run");
  run.train();
  EXPECT_EQ(read_config(run.options.run / "config.toml"), run.config);
  FakeRun longer(run.options.run);
  longer.config.train.steps = 35;
  longer.train();
  EXPECT_EQ(read_config(run.options.run / "config.toml"), run.config);
}

TEST(RunFolder, OtherConfigOnResumeIsRefusedWithTheKeys) {
  const TempFolder folder;
  FakeRun run(copy_of_trained(folder));
  run.config.train.batch = 5;
  run.config.diffusion.prediction = Prediction::v;
  const auto before = snapshot(run.options.run);
  const Error e = error_of([&] { run.train(); });
  EXPECT_EQ(e.code(), ExitCode::usage);
  const std::string text = e.what();
  EXPECT_NE(text.find("train.batch: 4 then, 5 now"), std::string::npos) << text;
  EXPECT_NE(text.find("diffusion.prediction"), std::string::npos) << text;
  EXPECT_EQ(text.find("train.seed"), std::string::npos) << text;
  EXPECT_EQ(snapshot(run.options.run), before);
}

TEST(RunFolder, NoneRefusesAFolderWithCheckpoints) {
  const TempFolder folder;
  FakeRun run(copy_of_trained(folder));
  run.options.resume = "none";
  EXPECT_EQ(error_of([&] { run.train(); }).code(), ExitCode::usage);
  FakeRun fresh(folder / "fresh");
  fresh.options.resume = "none";
  EXPECT_EQ(fresh.train().step, 30);
}

TEST(RunFolder, ANamedCheckpointStartsARunElsewhereWithTheSameResult) {
  const TempFolder folder;
  FakeRun run(folder / "elsewhere");
  run.options.resume = (trained() / "checkpoints/step-00000010").string();
  EXPECT_EQ(run.train().step, 30);
  EXPECT_EQ(run.observer.first_step, 11);
  EXPECT_EQ(snapshot(folder / "elsewhere/checkpoints/step-00000030"),
            snapshot(trained() / "checkpoints/step-00000030"));
}

TEST(RunFolder, AnEarlierCheckpointOfTheSameRunIsRefused) {
  const TempFolder folder;
  FakeRun run(copy_of_trained(folder));
  run.options.resume = (run.options.run / "checkpoints/step-00000010").string();
  const Error e = error_of([&] { run.train(); });
  EXPECT_EQ(e.code(), ExitCode::usage);
  EXPECT_NE(std::string(e.what()).find("step-00000030"), std::string::npos);
}

TEST(RunFolder, ABrokenOrMissingNamedCheckpointIsBadInput) {
  const TempFolder folder;
  FakeRun run(folder / "run");
  run.options.resume = (folder / "nothing").string();
  EXPECT_EQ(error_of([&] { run.train(); }).code(), ExitCode::bad_input);
}

// The child holds the folder; it's killed with -9, and the folder is free again.
TEST(RunFolder, TwoProcessesCannotShareIt) {
  const TempFolder folder;
  int ready[2];
  ASSERT_EQ(::pipe(ready), 0);
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    RunFolder held(folder.path(), "auto", fake_config(), [](const std::string&) {});
    if (::write(ready[1], "x", 1) != 1) ::_exit(1);
    for (;;) ::pause();
  }
  char byte = 0;
  ASSERT_EQ(::read(ready[0], &byte, 1), 1);
  FakeRun run(folder.path());
  const Error e = error_of([&] { run.train(); });
  EXPECT_EQ(e.code(), ExitCode::usage);
  EXPECT_NE(std::string(e.what()).find(std::to_string(child)), std::string::npos) << e.what();
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  ::close(ready[0]);
  ::close(ready[1]);
  EXPECT_EQ(run.train().step, 30);
}

}  // namespace
}  // namespace ddpm
