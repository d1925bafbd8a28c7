// The config's `recompute` reaches the engine, and leaves no trace in what a run writes.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

#include "ddpm/base/temp_folder.h"
#include "ddpm/engine/cpu/op_clock.h"
#include "ddpm/train/trainer.h"
#include "tests/tiny.h"

namespace ddpm {
namespace {

namespace fs = std::filesystem;

std::map<std::string, std::string> files_in(const fs::path& folder) {
  std::map<std::string, std::string> files;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (!entry.is_regular_file()) continue;
    std::ostringstream bytes;
    bytes << std::ifstream(entry.path(), std::ios::binary).rdbuf();
    files[fs::relative(entry.path(), folder).string()] = bytes.str();
  }
  return files;
}

TEST(Recompute, OfBlocksTakesMoreWorkToTheSameCheckpoint) {
  const TempFolder folder;
  const fs::path images = folder / "images";
  std::ofstream(images, std::ios::binary) << test::idx_images(12, 8);
  struct Result {
    double flops;
    std::map<std::string, std::string> files;
  };
  const auto run = [&](const std::string& recompute) {
    const RunConfig config = parse_config(test::tiny_config(images.string()), "tiny.toml",
                                          {"net.dropout=0.2", "train.recompute=" + recompute});
    TrainObserver nobody;
    const cpu::OpClock clock;
    const TrainOutcome outcome = train(config, {.run = folder / recompute, .threads = 1}, nobody);
    return Result{clock.times().at("conv 3x3").direct_flops, files_in(outcome.checkpoint)};
  };
  const Result none = run("none"), blocks = run("blocks");
  EXPECT_GT(blocks.flops, none.flops);
  ASSERT_GT(none.files.size(), 3U);
  for (const auto& [name, bytes] : none.files) {
    ASSERT_TRUE(blocks.files.contains(name)) << name;
    EXPECT_TRUE(blocks.files.at(name) == bytes) << name;
  }
}

}  // namespace
}  // namespace ddpm
