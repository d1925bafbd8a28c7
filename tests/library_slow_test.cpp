// The library as other programs use it: installed, found by CMake and by pkg-config.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ddpm/image/png.h"
#include "tests/program.h"

namespace ddpm::test {
namespace {

using testing::HasSubstr;

const std::filesystem::path kSource = DDPM_SOURCE_DIR;

// The build tree, installed into folder/prefix.
class Library : public testing::Test {
 protected:
  void SetUp() override {
    const auto build = std::filesystem::path(DDPM_PROGRAM).parent_path();
    check(run(folder_.path(), {"cmake", "--install", build.string(), "--prefix", prefix()}));
  }

  std::string prefix() const { return (folder_ / "prefix").string(); }

  static void check(const Outcome& outcome) {
    ASSERT_EQ(outcome.code, 0) << outcome.out << outcome.err;
  }

  // What `ddpm sample` draws.
  Image expected(const std::string& n, const std::string& out) const {
    check(run(folder_.path(), ddpm({"sample", "fashion-mnist", "-n", n, "--plan", "ddim:20",
                                    "--seed", "7", "-o", out})));
    const auto file = out.back() == '/' ? out + "000000.png" : out;
    return read_png(folder_ / file).value();
  }

  TempFolder folder_;
};

TEST_F(Library, ExamplesBuildAndRunAgainstTheInstalledTree) {
  check(run(folder_.path(), {"cmake", "-S", (kSource / "examples").string(), "-B", "examples",
                             "-DCMAKE_PREFIX_PATH=" + prefix()}));
  check(run(folder_.path(), {"cmake", "--build", "examples"}));

  check(run(folder_.path(), {"examples/sample"}));
  EXPECT_EQ(read_png(folder_ / "samples.png").value().pixels, expected("16", "grid.png").pixels);
  check(run(folder_.path(), {"examples/embedded"}));
  EXPECT_EQ(read_png(folder_ / "embedded.png").value().pixels, expected("1", "one/").pixels);
  const Outcome own = run(folder_.path(), {"examples/own_function"});
  EXPECT_EQ(own.out,
            "ddpm:1000: 0.5 0.5 0.5 0.5\nddim:20: 0.5 0.5 0.5 0.5\n"
            "dpmpp:10,order=3: 0.5 0.5 0.5 0.5\n");
}

TEST_F(Library, PkgConfigTellsACompilerAllThatItNeeds) {
  const std::string command =
      "PKG_CONFIG_PATH=$(dirname $(find prefix -name ddpm.pc)); export PKG_CONFIG_PATH; g++ "
      "-std=c++20 '" +
      (kSource / "examples/own_function.cpp").string() +
      "' -o own $(pkg-config --define-prefix --cflags --libs ddpm) && ./own";
  const Outcome outcome = run(folder_.path(), {"sh", "-c", command});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("ddim:20: 0.5 0.5 0.5 0.5\n"));
}

TEST_F(Library, AnInstalledProgramFindsItsShippedModels) {
  const Outcome outcome = run(folder_.path(), {prefix() + "/bin/ddpm", "info", "fashion-mnist"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr(prefix() + "/share/ddpm/models/fashion-mnist"));
}

}  // namespace
}  // namespace ddpm::test
