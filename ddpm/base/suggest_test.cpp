#include "ddpm/base/suggest.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace ddpm {
namespace {

TEST(EditDistance, CountsInsertionsDeletionsSubstitutionsAndSwaps) {
  EXPECT_EQ(edit_distance("steps", "steps"), 0);
  EXPECT_EQ(edit_distance("step", "steps"), 1);
  EXPECT_EQ(edit_distance("stepss", "steps"), 1);
  EXPECT_EQ(edit_distance("staps", "steps"), 1);
  EXPECT_EQ(edit_distance("setps", "steps"), 1);  // plain Levenshtein says 2
  EXPECT_EQ(edit_distance("", "steps"), 5);
  EXPECT_EQ(edit_distance("ca", "abc"),
            3);  // optimal string alignment, not the unrestricted form (2)
}

RC_GTEST_PROP(EditDistance, IsSymmetricAndZeroOnlyForEqualWords,
              (const std::string& a, const std::string& b)) {
  RC_ASSERT(edit_distance(a, b) == edit_distance(b, a));
  RC_ASSERT((edit_distance(a, b) == 0) == (a == b));
}

TEST(Nearest, FindsTheClosestName) {
  const std::vector<std::string> known = {"sample", "samples", "train", "ema"};
  EXPECT_EQ(nearest("smaple", known), "sample");
  EXPECT_EQ(nearest("sampels", known), "samples");
  EXPECT_EQ(nearest("trian", known), "train");
}

TEST(Nearest, SaysNothingWhenNoNameIsNear) {
  const std::vector<std::string> known = {"sample", "train", "ema"};
  EXPECT_EQ(nearest("compress", known), "");
  EXPECT_EQ(nearest("", known), "");
  EXPECT_EQ(nearest("x", known), "");       // every three-letter word is two edits from one letter
  EXPECT_EQ(nearest("emaxyz", known), "");  // three edits away
  EXPECT_EQ(nearest(std::string(1 << 20, 'x'), known), "");
}

}  // namespace
}  // namespace ddpm
