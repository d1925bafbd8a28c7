#include <gtest/gtest.h>

#include <algorithm>

#include "ddpm/image/image.h"

namespace ddpm {
namespace {

int count(const std::string& text, const std::string& part) {
  int n = 0;
  for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++n;
  return n;
}

TEST(TerminalBlocks, ShowsTwoPixelsInACell) {
  const Image image{1, 2, 3, {1, 2, 3, 40, 50, 60}};
  EXPECT_EQ(terminal_blocks(image, 80), "\x1b[38;2;1;2;3m\x1b[48;2;40;50;60m\u2580\x1b[0m\n");
}

TEST(TerminalBlocks, LastOddLineHasTheTerminalsOwnBackground) {
  const Image image{1, 3, 1, {0, 0, 9}};
  EXPECT_EQ(terminal_blocks(image, 80),
            "\x1b[38;2;0;0;0m\x1b[48;2;0;0;0m\u2580\x1b[0m\n\x1b[38;2;9;9;9m\u2580\x1b[0m\n");
}

TEST(TerminalBlocks, WritesAColourOnlyWhereItChanges) {
  EXPECT_EQ(count(terminal_blocks(blank_image(50, 2, 3, 7), 80), "\x1b["), 3);
}

TEST(TerminalBlocks, ScalesDownToTheWidthButNeverUp) {
  const std::string wide = terminal_blocks(blank_image(200, 100, 1), 80);
  EXPECT_EQ(count(wide, "\u2580"), 80 * 20);
  EXPECT_EQ(count(wide, "\n"), 20);
  EXPECT_EQ(count(terminal_blocks(blank_image(10, 10, 1), 80), "\u2580"), 10 * 5);
  EXPECT_EQ(count(terminal_blocks(blank_image(500, 1, 1), 80), "\u2580"), 80);
}

}  // namespace
}  // namespace ddpm
