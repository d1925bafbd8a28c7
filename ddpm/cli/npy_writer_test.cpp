#include "ddpm/cli/npy_writer.h"

#include <gtest/gtest.h>

#include "ddpm/base/error.h"
#include "ddpm/base/file.h"
#include "ddpm/base/temp_folder.h"
#include "ddpm/data/npy.h"

namespace ddpm::cli {
namespace {

TEST(NpyWriter, WritesWhatNpyReadersRead) {
  const TempFolder folder;
  NpyWriter writer(folder / "x.npy", {2, 2});
  writer.append(std::vector<float>{1, 2});
  writer.append(std::vector<float>{3, 4});
  EXPECT_FALSE(std::filesystem::exists(folder / "x.npy"));
  writer.finish();
  EXPECT_EQ(read_file(folder / "x.npy").value(), write_npy(npy_f32({2, 2}, {1, 2, 3, 4})));
}

TEST(NpyWriter, StartsAnewWhereAnotherWasKilled) {
  const TempFolder folder;
  folder.write("x.npy.part", std::string(1000, 'x'));
  NpyWriter writer(folder / "x.npy", {1});
  writer.append(std::vector<float>{5});
  writer.finish();
  EXPECT_EQ(read_file(folder / "x.npy").value(), write_npy(npy_f32({1}, {5})));
}

TEST(NpyWriter, ChecksTheNumberOfValues) {
  const TempFolder folder;
  NpyWriter writer(folder / "x.npy", {2});
  EXPECT_THROW(writer.finish(), BugError);
  EXPECT_THROW(writer.append(std::vector<float>{1, 2, 3}), BugError);
}

}  // namespace
}  // namespace ddpm::cli
