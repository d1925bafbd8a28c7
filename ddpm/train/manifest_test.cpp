#include "ddpm/train/manifest.h"

#include <gtest/gtest.h>

#include "ddpm/base/file.h"
#include "ddpm/base/temp_folder.h"

namespace ddpm {
namespace {

const CheckpointInfo kInfo{.step = 42, .version = "1.2.3", .numerics = 5, .config = "abc"};

Manifest example() {
  return {kInfo, {{"a/b.bin", {3, sha256_hex("xyz")}}, {"c", {0, sha256_hex("")}}}};
}

TEST(Manifest, ReadsBackWhatItWrites) {
  const auto read = parse_manifest(encode_manifest(example()), "m");
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(*read, example());
}

// R-26: a folder of a future version is not broken, and the message says which version reads it.
TEST(Manifest, OfANewerFormatIsUnsupportedAndNamesTheVersion) {
  std::string text = encode_manifest(example());
  const std::string format = "\"format\": 1";
  ASSERT_NE(text.find(format), std::string::npos);
  text.replace(text.find(format), format.size(), "\"format\": 2");
  const auto read = parse_manifest(text, "m");
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code, FailureCode::unsupported);
  EXPECT_NE(read.error().message.find("try ddpm 1.2.3"), std::string::npos);
}

TEST(Manifest, RefusesWhatIsNotOne) {
  for (
      const char* text :
      {"", "{}", "[]", R"({"format":1,"step":-1})",
       R"({"format":1,"step":1,"version":"v","numerics":1,"config":"c"})",
       R"({"format":1,"step":1,"version":"v","numerics":1,"config":"c","files":{"../x":{"bytes":1,"sha256":""}}})",
       R"({"format":1,"step":1,"version":"v","numerics":1,"config":"c","files":{"/x":{"bytes":1,"sha256":""}}})",
       R"({"format":1,"step":1,"version":"v","numerics":1,"config":"c","files":{"x":{"bytes":"1","sha256":""}}})"}) {
    EXPECT_FALSE(parse_manifest(text, "m")) << text;
  }
}

TEST(VerifyCheckpoint, AMissingFolderOrAFileInItsPlaceIsAFailure) {
  const TempFolder folder;
  EXPECT_FALSE(verify_checkpoint(folder / "nothing"));
  EXPECT_FALSE(verify_checkpoint(folder.write("file", "x")));
}

}  // namespace
}  // namespace ddpm
