#include "ddpm/cli/sample_state.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ddpm/base/error.h"
#include "ddpm/base/temp_folder.h"

namespace ddpm::cli {
namespace {

using testing::HasSubstr;

const SampleIdentity kSamples = {{"seed", "3"}, {"plan", "ddim:50"}};

TEST(SampleState, ComesBackForTheSameSamples) {
  const TempFolder folder;
  EXPECT_FALSE(read_sample_state(folder / "s", kSamples).has_value());
  write_sample_state(folder / "s", kSamples, {123456789012, 0xFEDCBA98});
  const auto state = read_sample_state(folder / "s", kSamples);
  ASSERT_TRUE(state.has_value());
  EXPECT_EQ(state->done, 123456789012);
  EXPECT_EQ(state->crc, 0xFEDCBA98U);
}

TEST(SampleState, NamesWhatDiffersInOtherSamples) {
  const TempFolder folder;
  write_sample_state(folder / "s", kSamples, {1, 0});
  try {
    read_sample_state(folder / "s", {{"seed", "4"}, {"plan", "ddim:50"}, {"label", "2"}});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::usage);
    EXPECT_THAT(error.what(), HasSubstr("with label none, not 2; seed 3, not 4; try"));
  }
  EXPECT_THROW(read_sample_state(folder / "s", {{"seed", "3"}}), Error);
}

TEST(SampleState, RefusesABrokenFile) {
  const TempFolder folder;
  for (const char* text :
       {"", "{", "{}", "[]", R"({"schema": "ddpm.sample_state/1", "samples": 3, "done": 1})",
        R"({"schema": "ddpm.sample_state/2", "samples": {}, "done": 1, "crc": 0})",
        R"({"schema": "ddpm.sample_state/1", "samples": {}, "done": -1, "crc": 0})"}) {
    folder.write("s", text);
    try {
      read_sample_state(folder / "s", {});
      FAIL() << text;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::bad_input) << text;
    }
  }
}

}  // namespace
}  // namespace ddpm::cli
