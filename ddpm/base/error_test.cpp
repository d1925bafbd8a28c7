#include "ddpm/base/error.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ddpm/base/result.h"

namespace ddpm {
namespace {

using testing::HasSubstr;

TEST(Error, CarriesTextAndExitCodeAndDefaultsToUsage) {
  const Error usage("[plan] ddim: got {} calls, expected 1..{}", 2000, 1000);
  EXPECT_STREQ(usage.what(), "[plan] ddim: got 2000 calls, expected 1..1000");
  EXPECT_EQ(usage.code(), ExitCode::usage);
  EXPECT_EQ(Error(ExitCode::resources, "full").code(), ExitCode::resources);
}

TEST(Error, CheckThrowsABugThatNamesPlaceExpressionAndValues) {
  const int t = 7;
  EXPECT_NO_THROW(DDPM_CHECK(t == 7, "t = {}", t));
  try {
    DDPM_CHECK(t < 5, "t = {}", t);
    FAIL() << "no throw";
  } catch (const BugError& bug) {
    EXPECT_THAT(bug.what(), HasSubstr("ddpm/base/error_test.cpp:"));
    EXPECT_THAT(bug.what(), HasSubstr("t < 5 does not hold: t = 7"));
  }
}

TEST(Result, FailureBecomesABadInputErrorWithTheSameText) {
  const auto parse = [](bool good) -> Result<int> {
    if (good) return 3;
    return fail(FailureCode::need_more, "[x] parse: got {} bytes", 1);
  };
  EXPECT_EQ(value_or_throw(parse(true)), 3);
  EXPECT_EQ(parse(false).error().code, FailureCode::need_more);
  try {
    value_or_throw(parse(false));
    FAIL() << "no throw";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::bad_input);
    EXPECT_STREQ(error.what(), "[x] parse: got 1 bytes");
  }
}

}  // namespace
}  // namespace ddpm
