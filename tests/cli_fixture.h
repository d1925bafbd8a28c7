// For tests: a folder with all that the program needs.
#pragma once

#include <gtest/gtest.h>

#include "ddpm/base/file.h"
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

  std::string bytes(const std::string& name) const { return read_file(folder_ / name).value(); }

  TempFolder folder_;
};

}  // namespace ddpm::test
