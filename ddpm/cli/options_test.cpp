#include "ddpm/cli/options.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cstdio>

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

}  // namespace
}  // namespace ddpm::cli
