#include "ddpm/cli/part_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ddpm/base/error.h"
#include "ddpm/base/file.h"
#include "ddpm/base/temp_folder.h"

namespace ddpm::cli {
namespace {

std::size_t files_in(const std::filesystem::path& folder) {
  return std::distance(std::filesystem::directory_iterator(folder), {});
}

TEST(PartFile, AppearsWholeAtItsName) {
  const TempFolder folder;
  PartFile file(folder / "x");
  file.append("one ");
  file.append("two");
  file.overwrite(1, "NE");
  EXPECT_FALSE(std::filesystem::exists(folder / "x"));
  file.finish();
  EXPECT_EQ(read_file(folder / "x").value(), "oNE two");
  EXPECT_EQ(files_in(folder.path()), 1U);
}

TEST(PartFile, LeavesNothingUnlessKept) {
  const TempFolder folder;
  {
    PartFile(folder / "x").append("one");
  }
  EXPECT_EQ(files_in(folder.path()), 0U);
}

TEST(PartFile, GoesOnWhereItWasCut) {
  const TempFolder folder;
  {
    PartFile file(folder / "x");
    file.append("one two");
    file.keep();
  }
  PartFile file(folder / "x");
  EXPECT_EQ(file.size(), 7U);
  file.truncate(4);
  file.append("three");
  file.finish();
  EXPECT_EQ(read_file(folder / "x").value(), "one three");
}

TEST(PartFile, BelongsToOneAtATime) {
  const TempFolder folder;
  PartFile file(folder / "x");
  try {
    PartFile second(folder / "x");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::usage);
    EXPECT_THAT(error.what(), testing::HasSubstr("another process is at it"));
  }
  file.append("one");
  file.finish();
  EXPECT_EQ(read_file(folder / "x").value(), "one");
}

TEST(PartFile, NamesAFileThatItCannotMake) {
  try {
    PartFile file("/proc/nowhere/x.npy");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::resources);
    EXPECT_THAT(error.what(), testing::HasSubstr("/proc/nowhere/x.npy"));
  }
}

TEST(PartFile, ChecksWhereItWrites) {
  const TempFolder folder;
  PartFile file(folder / "x");
  file.append("one");
  EXPECT_THROW(file.truncate(4), BugError);
  EXPECT_THROW(file.overwrite(2, "xx"), BugError);
}

}  // namespace
}  // namespace ddpm::cli
