#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "ddpm/base/error.h"
#include "ddpm/base/temp_folder.h"
#include "ddpm/net/model.h"

namespace ddpm {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;

// Sets DDPM_MODELS for one test.
class FindModel : public testing::Test {
 protected:
  void SetUp() override {
    fs::create_directories(folder_ / "first");
    fs::create_directories(folder_ / "second" / "hats");
    setenv("DDPM_MODELS",
           ((folder_ / "first").string() + "::" + (folder_ / "second").string()).c_str(), 1);
  }
  void TearDown() override { unsetenv("DDPM_MODELS"); }

  static std::string refusal(const std::string& name) {
    try {
      return "found " + find_model(name).string();
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), ExitCode::bad_input);
      return e.what();
    }
  }

  TempFolder folder_;
};

TEST_F(FindModel, TakesAFolderAsItIs) {
  EXPECT_EQ(find_model((folder_ / "second/hats").string()), folder_ / "second/hats");
}

TEST_F(FindModel, LooksANameUpInTheFoldersOfTheEnvironmentInOrder) {
  EXPECT_EQ(find_model("hats"), folder_ / "second/hats");
  fs::create_directories(folder_ / "first" / "hats");
  EXPECT_EQ(find_model("hats"), folder_ / "first/hats");
}

TEST_F(FindModel, LooksBesideTheProgram) {
  const fs::path beside = fs::read_symlink("/proc/self/exe").parent_path().parent_path();
  const std::string message = refusal("no-such-model");
  EXPECT_THAT(message, AllOf(HasSubstr((beside / "models/no-such-model").string()),
                             HasSubstr((beside / "share/ddpm/models/no-such-model").string())));
}

TEST_F(FindModel, LooksInTheSourceTree) {
  EXPECT_THAT(refusal("no-such-model"), HasSubstr(DDPM_SOURCE_DIR "/models/no-such-model"));
}

TEST_F(FindModel, SaysEveryPlaceWhereItLooked) {
  EXPECT_THAT(refusal("shoes"),
              AllOf(HasSubstr("'shoes'"), HasSubstr((folder_ / "first/shoes").string()),
                    HasSubstr((folder_ / "second/shoes").string()), HasSubstr("DDPM_MODELS")));
}

TEST_F(FindModel, SuggestsTheNearestName) {
  EXPECT_THAT(refusal("hatz"), HasSubstr("did you mean 'hats'?"));
  EXPECT_THAT(refusal("shoes"), Not(HasSubstr("did you mean")));
}

TEST_F(FindModel, PathsAreNotNames) {
  EXPECT_THAT(refusal("../second/hats-not-here"), Not(HasSubstr("first")));
  EXPECT_THAT(refusal(""), HasSubstr("got ''"));
  EXPECT_THAT(refusal(folder_.write("weights.safetensors", "").string()),
              HasSubstr("got the file"));
}

}  // namespace
}  // namespace ddpm
