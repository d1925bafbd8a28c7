#include "ddpm/cli/npy.h"

#include <gtest/gtest.h>

#include <cstring>

#include "ddpm/base/error.h"
#include "ddpm/base/file.h"
#include "ddpm/base/temp_folder.h"

namespace ddpm::cli {
namespace {

std::size_t files_in(const std::filesystem::path& folder) {
  return std::distance(std::filesystem::directory_iterator(folder), {});
}

// numpy.save of zeros((2, 1, 3, 4), '<f4') with NumPy 1.24 begins with these bytes, spaces up to
// 127 and a newline.
TEST(NpyHeader, IsNumpysOwn) {
  const std::string header = npy_header({2, 1, 3, 4});
  const std::string start(
      "\x93NUMPY\x01\x00v\x00{'descr': '<f4', 'fortran_order': False, 'shape': (2, 1, 3, 4), }",
      75);
  EXPECT_EQ(header.substr(0, start.size()), start);
  EXPECT_EQ(header.size(), 128u);
  EXPECT_EQ(header.find_first_not_of(' ', start.size()), 127u);
  EXPECT_EQ(header.back(), '\n');
}

TEST(NpyHeader, IsAMultipleOf64AndWritesTuplesAsPythonDoes) {
  EXPECT_NE(npy_header({7}).find("'shape': (7,), }"), std::string::npos);
  for (std::int64_t n = 1; n < 1'000'000'000'000; n *= 10)
    EXPECT_EQ(npy_header({n, n}).size() % 64, 0u);
}

TEST(NpyWriter, WritesHeaderAndValues) {
  const TempFolder folder;
  NpyWriter writer(folder / "x.npy", {2, 2});
  writer.append(std::vector<float>{1, 2});
  writer.append(std::vector<float>{3, 4});
  EXPECT_FALSE(std::filesystem::exists(folder / "x.npy"));
  writer.finish();
  const std::string bytes = read_file(folder / "x.npy").value();
  const float values[] = {1, 2, 3, 4};
  ASSERT_EQ(bytes.size(), npy_header({2, 2}).size() + sizeof(values));
  EXPECT_EQ(std::memcmp(bytes.data() + bytes.size() - sizeof(values), values, sizeof(values)), 0);
  EXPECT_EQ(files_in(folder.path()), 1u);
}

TEST(NpyWriter, LeavesNothingWithoutFinish) {
  const TempFolder folder;
  {
    NpyWriter(folder / "x.npy", {2}).append(std::vector<float>{1});
  }
  EXPECT_EQ(files_in(folder.path()), 0u);
}

TEST(NpyWriter, ChecksTheNumberOfValues) {
  const TempFolder folder;
  NpyWriter writer(folder / "x.npy", {2});
  EXPECT_THROW(writer.finish(), BugError);
  EXPECT_THROW(writer.append(std::vector<float>{1, 2, 3}), BugError);
}

TEST(NpyWriter, NamesAFileThatItCannotMake) {
  try {
    NpyWriter writer("/proc/nowhere/x.npy", {2});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::resources);
    EXPECT_NE(std::string(error.what()).find("/proc/nowhere/x.npy"), std::string::npos);
  }
}

}  // namespace
}  // namespace ddpm::cli
