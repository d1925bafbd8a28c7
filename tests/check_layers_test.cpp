// tools/check_layers refuses what it should, and only that. Each case is a one-file source tree.
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>

namespace {

namespace fs = std::filesystem;

struct Verdict {
  int exit_code = -1;
  std::string output;
};

class CheckLayers : public ::testing::Test {
 protected:
  CheckLayers() {
    std::string name = (fs::temp_directory_path() / "ddpm-layers-XXXXXX").string();
    tree_ = ::mkdtemp(name.data());
  }
  ~CheckLayers() override { fs::remove_all(tree_); }

  // What the script says of a tree whose only file is `path` with `text`.
  Verdict judge(const std::string& path, const std::string& text) const {
    fs::remove_all(tree_ / "ddpm");
    fs::create_directories((tree_ / path).parent_path());
    std::ofstream(tree_ / path) << text;
    const std::string command =
        std::string("'" DDPM_SOURCE_DIR "/tools/check_layers' '") + tree_.string() + "' 2>&1";
    Verdict verdict;
    FILE* pipe = ::popen(command.c_str(), "r");
    if (!pipe) return verdict;
    std::array<char, 256> line{};
    while (std::fgets(line.data(), line.size(), pipe)) verdict.output += line.data();
    verdict.exit_code = WEXITSTATUS(::pclose(pipe));
    return verdict;
  }

  void expect_refused(const std::string& path, const std::string& line, const std::string& why) {
    const Verdict verdict = judge(path, "// one line above\n" + line + "\n");
    EXPECT_EQ(verdict.exit_code, 1) << path << ": " << line;
    EXPECT_EQ(verdict.output.find(path + ":2: "), 0U) << verdict.output;
    EXPECT_NE(verdict.output.find(why), std::string::npos) << verdict.output;
  }

  void expect_allowed(const std::string& path, const std::string& line) {
    const Verdict verdict = judge(path, line + "\n");
    EXPECT_EQ(verdict.exit_code, 0) << path << ": " << line << "\n" << verdict.output;
  }

  fs::path tree_;
};

TEST_F(CheckLayers, ThisSourceTreeKeepsTheRules) {
  const std::string command = "'" DDPM_SOURCE_DIR "/tools/check_layers'";
  EXPECT_EQ(std::system(command.c_str()),
            0);  // NOLINT(bugprone-command-processor): a fixed command
}

TEST_F(CheckLayers, IncludesAgainstAnArrowAreRefused) {
  expect_refused("ddpm/diffusion/a.h", "#include \"ddpm/net/graph.h\"", "may not include 'net'");
  expect_refused("ddpm/image/a.cpp", "#include \"ddpm/data/dataset.h\"", "may not include 'data'");
  expect_refused("ddpm/base/a_test.cpp", "#include \"ddpm/net/unet.h\"", "may not include 'net'");
  expect_refused("ddpm/train/a.cpp", "#include \"ddpm/cli/sample.h\"", "may not include 'cli'");
  expect_refused("ddpm/train/a.cpp", "#include \"ddpm/engine/cpu/conv.h\"", "'engine/cpu'");
  expect_refused("ddpm/train/a.cpp", "#include <torch/torch.h>", "torch");
  expect_refused("ddpm/net/a.cpp", "#include \"graph.h\"", "a path from the root");
  expect_refused("ddpm/net/a.cpp", "#include \"ddpm/net/oracle_test.h\"", "is for tests");
  EXPECT_NE(judge("ddpm/attic/a.h", "\n").output.find("not in the table"), std::string::npos);
}

TEST_F(CheckLayers, IncludesAlongTheArrowsAreAllowed) {
  expect_allowed("ddpm/engine/cpu/a.cpp", "#include \"ddpm/diffusion/plan.h\"");  // through net
  expect_allowed("ddpm/train/a.cpp", "#include \"ddpm/image/png.h\"");            // through data
  expect_allowed("ddpm/train/a.cpp", "#include \"ddpm/engine/cpu/cpu.h\"");       // the factory
  expect_allowed("ddpm/cli/a.cpp", "#include \"ddpm/engine/cpu/conv.h\"");
  expect_allowed("ddpm/engine/cpu/a.cpp", "#include \"hwy/highway.h\"");
  expect_allowed("tests/a_test.cpp", "#include \"ddpm/cli/sample.h\"");
}

TEST_F(CheckLayers, LibmIsRefusedWhereBitsMatter) {
  const std::string why = "use ddpm/base/exact.h";
  expect_refused("ddpm/diffusion/a.cpp", "double f(double x) { return std::exp(x); }", why);
  expect_refused("ddpm/engine/cpu/a.cpp", "float f(float x) { return expf(x); }", why);
  expect_refused("ddpm/net/a.h", "double f(double x) { return 1 + log1p(x); }", why);
  expect_refused("ddpm/image/a.cpp", "auto f = std::pow<double, int>;", why);
  expect_refused("ddpm/train/a.cpp", "double f(double x) { return ::cos(x) /* why */; }", why);
  expect_refused("ddpm/base/a.cpp", "double f(double x) { return __builtin_sin(x); }", why);
  expect_refused("ddpm/engine/cpu/a-inl.h", "float f(float x) { return std::exp(x); }", why);
}

TEST_F(CheckLayers, ExactMathsTestsAndProseAreNotLibm) {
  expect_allowed("ddpm/diffusion/a.cpp", "double f(double x) { return exact::exp(x); }");
  expect_allowed("ddpm/diffusion/a.cpp",
                 "double f(double x) { return std::sqrt(x); }  // not pow(x)");
  expect_allowed("ddpm/net/a.cpp", "/* std::exp(x)\n std::log(x) */ const char* s = \"cos(x)\";");
  expect_allowed("ddpm/net/a.cpp", "const char c = '\"'; const char* s = \"cos(x)\";");
  expect_allowed("ddpm/net/a.cpp", "void f(Writer& w) { w.log(1); }");
  expect_allowed("ddpm/net/a_test.cpp", "double f(double x) { return std::exp(x); }");
  expect_allowed("ddpm/train/fake_learner.h", "double f(double x) { return std::exp(x); }");
  expect_allowed("ddpm/base/exact.cpp", "double exp(double x) { return x; }");
  expect_allowed("ddpm/engine/cpu/a-inl.h", "V sigmoid(V x) { return exp(x); }");
}

TEST_F(CheckLayers, UnkeyedRandomNumbersAreRefused) {
  expect_refused("ddpm/data/a.cpp", "#include <random>", "philox");
  expect_refused("ddpm/cli/a.cpp", "std::mt19937 g;", "philox");
  expect_refused("ddpm/train/a.cpp", "int x = rand();", "philox");
  expect_allowed("ddpm/train/a_test.cpp", "#include <random>");
}

TEST_F(CheckLayers, LibraryRoomsNeitherPrintNorExit) {
  expect_refused("ddpm/net/a.cpp", "void f() { std::cout << 1; }", "never print");
  expect_refused("ddpm/net/a.cpp", "void f() { fmt::print(\"x\"); }", "never print");
  expect_refused("ddpm/train/a.cpp", "void f() { std::printf(\"x\"); }", "never print");
  expect_refused("ddpm/train/a.cpp", "void f() { std::exit(1); }", "never end the program");
  expect_refused("ddpm/train/a.cpp", "void f() { abort(); }", "never end the program");
  expect_allowed("ddpm/cli/a.cpp", "void f() { fmt::print(\"x\"); std::exit(1); }");
  expect_allowed("ddpm/train/a.cpp", "void f() { std::snprintf(b, 1, \"x\"); pool.abort(); }");
}

}  // namespace
