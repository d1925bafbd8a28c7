// For tests: a folder with all that the program needs.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ddpm/base/file.h"
#include "ddpm/net/strict_json.h"
#include "tests/program.h"
#include "tests/tiny.h"

namespace ddpm::test {

using Words = std::vector<std::string>;

/// A folder with data and a configuration; after train() also with a model of four steps,
/// runs/tiny.
class Cli : public testing::Test {
 protected:
  void SetUp() override {
    folder_.write("images-idx3-ubyte", idx_images(24, 8));
    folder_.write("tiny.toml", tiny_config("images-idx3-ubyte"));
  }

  Outcome ddpm(const Words& arguments, const Environment& environment = {},
               const std::function<void()>& prepare = {}) const {
    return run(folder_.path(), test::ddpm(arguments), environment, prepare);
  }

  void train() const {
    const Outcome outcome = ddpm({"train", "tiny.toml", "--threads", "1"});
    ASSERT_EQ(outcome.code, 0) << outcome.err;
  }

  /// What the program says when all is well.
  Outcome good(const Words& words, const Environment& environment = {}) const {
    Outcome outcome = ddpm(words, environment);
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    return outcome;
  }

  /// The one document of --json, which `words` ask for.
  Json json_of(const Words& words, const Environment& environment = {}) const {
    return value_or_throw(parse_json(good(words, environment).out, "stdout"));
  }

  static double number(const Json& json, const char* key) {
    const Json* value = json.find(key);
    EXPECT_TRUE(value != nullptr && value->real()) << key;
    return value != nullptr ? value->real().value_or(-1) : -1;
  }

  void expect_error(const Words& words, int code, const std::string& message) const {
    const Outcome outcome = ddpm(words);
    EXPECT_EQ(outcome.code, code) << outcome.err;
    EXPECT_THAT(outcome.err, testing::HasSubstr(message));
    EXPECT_EQ(outcome.out, "");
  }

  std::string bytes(const std::string& name) const { return read_file(folder_ / name).value(); }

  TempFolder folder_;
};

}  // namespace ddpm::test
