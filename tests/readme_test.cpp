// The README's commands run as written, in a copy of the tree. So that this takes seconds, the
// shipped model is replaced by one of its shape that has hardly learnt, and training is cut short.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "ddpm/image/png.h"
#include "ddpm/net/safetensors.h"
#include "tests/program.h"
#include "tests/tiny.h"

namespace ddpm::test {
namespace {

namespace fs = std::filesystem;

const fs::path kSource = DDPM_SOURCE_DIR;

// The lines of ```sh blocks, comments cut off.
std::vector<std::string> commands_of(const fs::path& page) {
  std::istringstream text(read_file(page).value());
  std::vector<std::string> commands;
  bool inside = false;
  for (std::string line; std::getline(text, line);) {
    if (line.rfind("```", 0) == 0) {
      inside = line == "```sh";
    } else if (inside) {
      line.erase(std::min(line.find(" #"), line.size()));
      line.erase(line.find_last_not_of(' ') + 1);
      if (!line.empty()) commands.push_back(line);
    }
  }
  return commands;
}

bool runs_the_program(const std::string& command) { return command.rfind("build/ddpm ", 0) == 0; }

std::string shortened(const std::string& command) {
  if (command.rfind("build/ddpm train ", 0) != 0) return command;
  return command +
         " --set train.steps=2 --set train.sample_count=1 --set train.sample_plan=ddim:1 --set "
         "train.eval_count=1";
}

// What a reader has: the tree after `make build`, pictures of their own, tensors.
void furnish(const TempFolder& folder) {
  for (const char* name : {"configs", "docs"}) fs::create_symlink(kSource / name, folder / name);
  fs::create_directory(folder / "build");
  fs::create_symlink(DDPM_PROGRAM, folder / "build/ddpm");
  fs::create_directory(folder / "PHOTOS");
  for (int i = 0; i < 64; ++i) {
    write_png(folder / fmt::format("PHOTOS/{}.png", i),
              blank_image(30 + i, 40, 3, static_cast<std::uint8_t>(i)));
  }
  TensorFile file;
  file.tensors = {{"x", f32_tensor(std::vector<float>(2 * 784), {2, 1, 28, 28})},
                  {"t", f32_tensor(std::vector<float>{0, 999}, {2})}};
  folder.write("in.safetensors", encode_safetensors(file));
}

// A model of one channel and 28 x 28 pixels under the shipped model's name.
void make_model(const TempFolder& folder) {
  folder.write("tiny-idx3-ubyte", idx_images(8, 28));
  const Outcome outcome = run(folder.path(), ddpm({"train", "configs/demo.toml",
                                                   "--out", "tiny-run",
                                                   "--set", "data.path=tiny-idx3-ubyte",
                                                   "--set", "data.eval=",
                                                   "--set", "net.block_out_channels=[4,4,4]",
                                                   "--set", "net.norm_num_groups=2",
                                                   "--set", "train.batch=2",
                                                   "--set", "train.steps=1",
                                                   "--set", "train.sample_count=1",
                                                   "--set", "train.sample_plan=ddim:1"}));
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  fs::create_directory(folder / "models");
  fs::rename(folder / "tiny-run/checkpoints/step-00000001", folder / "models/fashion-mnist");
}

TEST(Readme, CommandsRunAsWritten) {
  const TempFolder folder;
  furnish(folder);
  ASSERT_NO_FATAL_FAILURE(make_model(folder));
  int count = 0;
  for (const std::string& command : commands_of(kSource / "README.md")) {
    if (!runs_the_program(command)) continue;
    const Outcome outcome =
        run(folder.path(), {"sh", "-c", shortened(command)}, {{"DDPM_MODELS", folder / "models"}});
    EXPECT_EQ(outcome.code, 0) << command << "\n" << outcome.err;
    ++count;
  }
  EXPECT_GE(count, 8);
}

TEST(Readme, TheKoreanPageHasTheSameCommands) {
  EXPECT_EQ(commands_of(kSource / "README.ko.md"), commands_of(kSource / "README.md"));
}

}  // namespace
}  // namespace ddpm::test
