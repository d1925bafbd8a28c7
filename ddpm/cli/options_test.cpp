#include "ddpm/cli/options.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cstdio>

#include "ddpm/base/error.h"
#include "ddpm/base/temp_folder.h"
#include "ddpm/cli/sample_output.h"

namespace ddpm::cli {
namespace {

std::string shell_echo(const std::string& words) {
  FILE* pipe = popen(("printf %s " + words).c_str(), "r");
  std::string out(1 << 16, '\0');
  out.resize(std::fread(out.data(), 1, out.size(), pipe));
  pclose(pipe);
  return out;
}

TEST(ShellWord, LeavesPlainWordsAlone) {
  EXPECT_EQ(shell_word("runs/a-b_1.png"), "runs/a-b_1.png");
  EXPECT_EQ(shell_word("ddim:50,eta=0.5"), "ddim:50,eta=0.5");
}

TEST(ShellWord, IsReadBackByTheShell) {
  for (const std::string text :
       {"", "a b", "it's", "$HOME", "`id`", "a\"b\\c", "* ?", "~", "#x", "a;b&c|d"}) {
    EXPECT_EQ(shell_echo(shell_word(text)), text);
  }
}

TEST(GridColumns, IsTheRoundedUpRoot) {
  EXPECT_EQ(grid_columns(1), 1);
  EXPECT_EQ(grid_columns(4), 2);
  EXPECT_EQ(grid_columns(5), 3);
  EXPECT_EQ(grid_columns(64), 8);
  EXPECT_EQ(grid_columns(65), 9);
}

std::string refusal(const std::string& path, std::int64_t count = 1) {
  try {
    make_sample_output({path, count, 0, Shape{1, 8, 8}, {}});
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::usage);
    return error.what();
  }
  return "";
}

TEST(SampleOutput, RefusesWhatItCannotWriteBeforeAnyWork) {
  const TempFolder folder;
  EXPECT_NE(refusal(folder / "x.jpg").find("FILE.png, FILE.npy or FOLDER/"), std::string::npos);
  EXPECT_NE(refusal(folder / "no/x.png").find("try mkdir -p"), std::string::npos);
  EXPECT_NE(refusal(folder / "no/x.npy").find("try mkdir -p"), std::string::npos);
  EXPECT_NE(refusal(folder / "x.png", 1 << 20).find("-o FOLDER/"), std::string::npos);
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

TEST(SampleOutput, NumbersTheFilesOfAFolder) {
  const TempFolder folder;
  const auto output =
      make_sample_output({folder / "images/", 3, 41, Shape{1, 2, 2}, {{"key", "value"}}});
  output->add(std::vector<float>(8, 0.5f));
  output->add(std::vector<float>(4, -1.0f));
  output->finish();
  for (const char* name : {"000041.png", "000042.png", "000043.png"}) {
    EXPECT_TRUE(std::filesystem::exists(folder / "images" / name)) << name;
  }
  EXPECT_EQ(read_png(folder / "images/000043.png").value().pixels, std::vector<std::uint8_t>(4, 0));
  EXPECT_EQ(read_png_text(folder / "images/000041.png").value().at("key"), "value");
}

}  // namespace
}  // namespace ddpm::cli
