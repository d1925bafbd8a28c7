#include "ddpm/base/utf8.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace ddpm {
namespace {

TEST(Utf8, AcceptsWellFormedText) {
  for (const char* text : {"", "plain", "\xC2\x80", "\xEA\xB7\xB8\xEB\xA6\xBC", "\xF0\x9F\x8E\xA8",
                           "\xF4\x8F\xBF\xBF"}) {
    EXPECT_TRUE(is_utf8(text)) << text;
  }
}

TEST(Utf8, RefusesStrayOverlongSurrogateAndTruncatedSequences) {
  for (const char* text :
       {"\x80", "\xC0\x80", "\xC1\xBF", "\xE0\x9F\xBF", "\xED\xA0\x80", "\xF0\x8F\xBF\xBF",
        "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xEA\xB7", "a\xFF"}) {
    EXPECT_FALSE(is_utf8(text));
  }
}

TEST(Utf8, ReplacesOnlyTheBadBytes) {
  EXPECT_EQ(to_utf8("a\xFFz"), "a\xEF\xBF\xBDz");
  EXPECT_EQ(to_utf8("\xEA\xB7\xB8\xEB"), "\xEA\xB7\xB8\xEF\xBF\xBD");
}

RC_GTEST_PROP(Utf8, RepairedTextIsAlwaysWellFormed, (const std::string& bytes)) {
  RC_ASSERT(is_utf8(to_utf8(bytes)));
}

}  // namespace
}  // namespace ddpm
