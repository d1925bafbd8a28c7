#include "ddpm/train/checkpoint.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <algorithm>
#include <csignal>

#include "ddpm/base/file.h"
#include "ddpm/train/fake_run.h"

namespace ddpm {
namespace {

namespace fs = std::filesystem;

CheckpointInfo info_of(std::int64_t step) {
  return {.step = step, .version = "test", .numerics = 1, .config = "c"};
}

struct Store {
  TempFolder run;
  CheckpointStore store{run.path()};
  int keep = 10;
  std::vector<std::string> warnings;
  Warn warn = [this](const std::string& text) { warnings.push_back(text); };

  fs::path save(std::int64_t step, const std::string& bytes = "weights") {
    const CheckpointInfo info = info_of(step);
    return store.save(info,
                      {{"unet/w.bin", [=] { return bytes; }},
                       {"model_index.json", [] { return "{}"; }},
                       {kStateFile, [=] { return encode_info(info); }}},
                      keep, warn);
  }

  bool leftovers() const {
    for (const auto& e : fs::recursive_directory_iterator(run.path())) {
      if (e.path().string().find(".tmp-") != std::string::npos) return true;
    }
    return false;
  }
};

TEST(StepName, ReadsBackAndRefusesOthers) {
  for (const std::int64_t step : {0LL, 42LL, 99'999'999LL, 4'294'967'295LL}) {
    EXPECT_EQ(step_of_name(step_name(step)), step);
  }
  for (const char* name : {"", "step-", "step-1", "step-00000001.tmp-7", "step-0000000x",
                           "step-00000001.broken-1", "step--0000001"}) {
    EXPECT_EQ(step_of_name(name), std::nullopt) << name;
  }
}

TEST(CheckpointStore, WritesAFolderThatVerifiesAndLatestNamesIt) {
  Store s;
  const fs::path folder = s.save(7);
  EXPECT_EQ(folder.filename(), "step-00000007");
  EXPECT_EQ(slurp(s.run / "latest"), "step-00000007\n");
  EXPECT_EQ(slurp(folder / "unet/w.bin"), "weights");
  const auto found = s.store.newest(s.warn);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->folder, folder);
  EXPECT_EQ(found->manifest.info, info_of(7));
  EXPECT_TRUE(s.warnings.empty());
  EXPECT_FALSE(s.leftovers());
}

TEST(CheckpointStore, AnEmptyRunHasNone) {
  Store s;
  EXPECT_FALSE(s.store.newest(s.warn));
}

TEST(CheckpointStore, StepsOfMoreDigitsAreLater) {
  Store s;
  for (const std::int64_t step : {99'999'999LL, 100'000'000LL, 3LL}) s.save(step);
  EXPECT_EQ(s.store.list().front().filename(), "step-100000000");
}

// any single bit, in any file, the manifest included.
TEST(CheckpointStore, EveryFlippedBitIsNoticed) {
  Store s;
  const fs::path folder = s.save(7);
  for (const auto& [name, bytes] : snapshot(folder)) {
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      std::string broken = bytes;
      broken[i] = static_cast<char>(broken[i] ^ (1 << i % 8));
      std::ofstream(folder / name, std::ios::binary) << broken;
      ASSERT_FALSE(verify_checkpoint(folder)) << name << " byte " << i;
    }
    std::ofstream(folder / name, std::ios::binary) << bytes;
  }
  EXPECT_TRUE(verify_checkpoint(folder));
}

TEST(CheckpointStore, EveryTruncationAndEveryMissingFileIsNoticed) {
  Store s;
  const fs::path folder = s.save(7);
  for (const auto& [name, bytes] : snapshot(folder)) {
    for (std::size_t size = 0; size < bytes.size(); ++size) {
      fs::resize_file(folder / name, size);
      ASSERT_FALSE(verify_checkpoint(folder)) << name << " of " << size << " bytes";
      std::ofstream(folder / name, std::ios::binary) << bytes;
    }
    fs::remove(folder / name);
    EXPECT_FALSE(verify_checkpoint(folder)) << name;
    std::ofstream(folder / name, std::ios::binary) << bytes;
  }
}

TEST(CheckpointStore, FallsBackFromABrokenNewestWithAWarning) {
  Store s;
  s.save(1);
  s.save(2);
  std::ofstream(s.save(3) / "unet/w.bin") << "weightz";
  const auto found = s.store.newest(s.warn);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->manifest.info.step, 2);
  ASSERT_FALSE(s.warnings.empty());
  EXPECT_NE(s.warnings[0].find("step-00000003/unet/w.bin"), std::string::npos) << s.warnings[0];
  // Out of the way, so that step 3 can be saved again, but not destroyed.
  EXPECT_TRUE(fs::exists(s.run / "checkpoints/step-00000003.broken-1"));
  s.save(3);
  EXPECT_EQ(s.store.newest(s.warn)->manifest.info.step, 3);
}

TEST(CheckpointStore, OnlyBrokenOnesAreAnErrorNotAFreshStart) {
  Store s;
  fs::remove(s.save(1) / kManifestFile);
  try {
    s.store.newest(s.warn);
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ExitCode::bad_input);
  }
}

TEST(CheckpointStore, NeverOverwrites) {
  Store s;
  s.save(1, "old");
  EXPECT_THROW(s.save(1, "new"), Error);
  EXPECT_EQ(slurp(s.run / "checkpoints/step-00000001/unet/w.bin"), "old");
  EXPECT_FALSE(s.leftovers());
}

TEST(CheckpointStore, PruneKeepsTheNewest) {
  Store s;
  for (const std::int64_t step : {1, 2, 3, 4}) s.save(step);
  s.store.prune(2);
  const auto left = s.store.list();
  ASSERT_EQ(left.size(), 2U);
  EXPECT_EQ(left[0].filename(), "step-00000004");
  EXPECT_EQ(left[1].filename(), "step-00000003");
  EXPECT_FALSE(s.leftovers());
}

TEST(CheckpointStore, PruneSparesTheBest) {
  Store s;
  for (const std::int64_t step : {1, 2, 3, 4}) s.save(step);
  s.store.point_best(2);
  EXPECT_EQ(slurp(s.run / "best"), "step-00000002\n");
  s.store.prune(1);
  const auto left = s.store.list();
  ASSERT_EQ(left.size(), 2U);
  EXPECT_EQ(left[1].filename(), "step-00000002");
  s.store.point_best(3);  // of a checkpoint that is gone: the old one stays
  EXPECT_EQ(slurp(s.run / "best"), "step-00000002\n");
  fs::remove_all(left[1]);
  s.store.point_best(3);  // and where that is gone too, there is none
  EXPECT_FALSE(fs::exists(s.run / "best"));
}

TEST(CheckpointStore, LeftoversOfDeadProcessesAreRemovedAndNothingElse) {
  Store s;
  s.save(1);
  const auto before = snapshot(s.run.path());
  s.run.write("checkpoints/step-00000002.tmp-123/unet/w.bin", "half");
  s.run.write("latest.tmp-123", "step");
  s.run.write("samples/step-00000001.png.tmp-9", "x");
  s.store.remove_leftovers();
  EXPECT_EQ(names(snapshot(s.run.path())), names(before));
}

// A disk that is full, as the kernel's limit on file sizes: write(2) fails after 4096 bytes.
TEST(CheckpointStore, AFailedSaveLeavesNoTraceAndNamesPathAndBytes) {
  Store s;
  s.save(1);
  const auto before = snapshot(s.run.path());
  rlimit old{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &old), 0);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit small{4096, old.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  std::string message;
  try {
    s.save(2, std::string(10'000, 'w'));
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ExitCode::resources);
    message = e.what();
  }
  ::setrlimit(RLIMIT_FSIZE, &old);
  std::signal(SIGXFSZ, handler);
  EXPECT_NE(message.find("unet/w.bin"), std::string::npos) << message;
  EXPECT_NE(message.find("10000"), std::string::npos) << message;
  EXPECT_EQ(snapshot(s.run.path()), before);
}

}  // namespace
}  // namespace ddpm
