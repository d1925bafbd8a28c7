// ddpm plan, and the Python of docs/plan_format.md that runs what it prints.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <sstream>

#include "ddpm/diffusion/plan_interpreter_test.h"
#include "tests/cli_fixture.h"

namespace ddpm::test {
namespace {

using testing::HasSubstr;

const std::string kDocs = DDPM_SOURCE_DIR "/docs/";

bool has_python() { return run("/", {"python3", "-c", "import json"}).code == 0; }

// A network with variance channels, and noise by row and element; the driver below has the same.
Vector network(const Vector& x, double t) {
  Vector out;
  for (const double v : x)
    out.push_back(0.3 * v * std::cos(t / 300) + 0.1 * std::sin(3 * v + t / 100));
  for (const double v : x) out.push_back(std::sin(0.7 * v + t / 250));
  return out;
}
double noise(int row, int i) { return 1.2 * std::sin(1.7 * row + 0.9 * i + 0.3); }
const Vector kStart = {0.35, 1.21, 1.34, 0.66, -0.42};

constexpr const char* kDriver =
    "import json, math, sys\n"
    "sys.path.insert(0, sys.argv[1])\n"
    "import run_plan\n"
    "def network(x, t):\n"
    "    mean = [0.3 * v * math.cos(t / 300) + 0.1 * math.sin(3 * v + t / 100) for v in x]\n"
    "    return mean + [math.sin(0.7 * v + t / 250) for v in x]\n"
    "noise = lambda row, i: 1.2 * math.sin(1.7 * row + 0.9 * i + 0.3)\n"
    "for plan in sys.argv[2:]:\n"
    "    x = [0.35, 1.21, 1.34, 0.66, -0.42]\n"
    "    print(*map(repr, run_plan.run(json.load(open(plan)), network, x, noise)))\n";

Vector numbers(const std::string& text) {
  std::istringstream in(text);
  return {std::istream_iterator<double>(in), {}};
}

// JSON has every coefficient in full and Python the same doubles: only the order of additions and
// libm differ, some 1e-16 a row, that a few hundred rows and 1 / signal = 157 may grow.
TEST(PlanCli, PythonRunsThePrintedPlanAsTheProgramDoes) {
  if (!has_python()) GTEST_SKIP() << "no python3";
  TempFolder folder;
  const Schedule schedule = Schedule::linear();
  std::vector<std::string> specs;
  std::vector<Vector> wanted;
  Words python = {"python3", "-c", kDriver, kDocs};
  for (const char* spec :
       {"ddpm:20", "ddim:20,eta=0.5", "ddim:9,threshold=0.7,threshold_max=2", "dpmpp:12,order=3",
        "dpmpp:12,algorithm=sde-dpmsolver++,singlestep=yes", "unipc:12,order=3,type=bh1",
        "deis:12,order=3", "pndm:12", "euler:12,churn=9", "heun:9,spacing=karras", "euler_a:12",
        "lms:12", "langevin:30,t=200,denoise=yes", "ald:4,steps=5", "pc:8,corrections=2"}) {
    // Variance channels, where something reads them.
    const std::string name(spec, 2),
        variance = name == "pc" || name == "dd" ? "learned_range" : "fixed_large";
    const Outcome plan = run(folder.path(), ddpm({"plan", "linear:1000", "--plan", spec, "--json",
                                                  "--prediction", "v", "--variance", variance}));
    ASSERT_EQ(plan.code, 0) << plan.err;
    python.push_back(fmt::format("{}.json", specs.size()));
    folder.write(python.back(), plan.out);
    specs.emplace_back(spec);
    const ModelView view{Prediction::v, parse_variance(variance)};
    wanted.push_back(ddpm::run(parse_plan(spec, schedule, view), network, noise, kStart));
  }
  const Outcome outcome = run(folder.path(), python, {{"PYTHONDONTWRITEBYTECODE", "1"}});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  std::istringstream lines(outcome.out);
  for (std::size_t k = 0; k < specs.size(); ++k) {
    std::string line;
    ASSERT_TRUE(std::getline(lines, line)) << specs[k];
    const Vector got = numbers(line);
    ASSERT_EQ(got.size(), wanted[k].size()) << specs[k] << ": " << line;
    for (std::size_t i = 0; i < got.size(); ++i) {
      EXPECT_NEAR(got[i], wanted[k][i], 1e-9) << specs[k];
    }
  }
}

// The page prints the script as it is.
TEST(PlanCli, TheScriptStandsInThePage) {
  const std::string script = read_file(kDocs + "run_plan.py").value();
  EXPECT_THAT(read_file(kDocs + "plan_format.md").value(),
              HasSubstr("```python\n" + script + "```"));
}

TEST(PlanCli, TheScriptRunsFromAPipe) {
  if (!has_python()) GTEST_SKIP() << "no python3";
  const std::string command = std::string(DDPM_PROGRAM) +
                              " plan linear:1000 --plan dpmpp:10 --json | python3 " + kDocs +
                              "run_plan.py";
  const Outcome outcome = run("/", {"sh", "-c", command});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const Vector x = numbers(outcome.out);
  ASSERT_EQ(x.size(), 4U);
  for (const double value : x) EXPECT_NEAR(value, 0.5, 1e-9);  // the best network's only datum
}

TEST_F(Cli, PlanShowsATableOfThePlansCoefficients) {
  const Outcome outcome = ddpm({"plan", "linear:1000", "--plan", "ddim:2,clip=0,eps=raw"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("ddim:2,clip=0,eps=raw on linear:1000: 2 network calls"));
  EXPECT_THAT(outcome.out,
              HasSubstr("  row  time    x0: x     x0: out  eps: out  set       x0   eps\n"));
  EXPECT_THAT(outcome.out,
              HasSubstr("\n    1     0  1.00005  -0.0100005         1    x        1\n"));
}

TEST_F(Cli, PlanTakesAModelsOwnProcess) {
  train();
  const Outcome outcome = ddpm({"plan", "runs/tiny", "--plan", "ddpm", "--json"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("\"schema\": \"ddpm.plan/1\""));
  EXPECT_THAT(outcome.out, HasSubstr("\"calls\": 20,"));
}

TEST_F(Cli, PlanRefusesWhatItCannotShow) {
  const std::pair<Words, std::string> cases[] = {
      {{"plan", "linear:1000", "--plan", "dppm:5"}, "try 'ddpm'"},
      {{"plan", "linear:0"}, "got T = 0"},
      {{"plan", "no-such-model"}, "or try a schedule, as linear:1000"},
      {{"plan", "linear:1000", "--prediction", "eps0"}, "expected eps, x0, v, mu or score"},
      {{"plan", "linear:1000", "--plan", "ddpm:9,variance=optimal"}, "got no measurement"},
  };
  for (const auto& [words, message] : cases) {
    const Outcome outcome = ddpm(words);
    EXPECT_NE(outcome.code, 0) << message;
    EXPECT_EQ(outcome.out, "");
    EXPECT_THAT(outcome.err, HasSubstr(message));
  }
}

// docs/samplers.md has every sampler and key, with its default.
TEST(PlanCli, SamplersAndKeysAreDocumented) {
  const std::string page = read_file(kDocs + "samplers.md").value();
  for (const SamplerHelp& sampler : sampler_help()) {
    EXPECT_THAT(page, HasSubstr(fmt::format("| `{}` | {} |", sampler.name, sampler.what)));
    for (const KeyHelp& key : sampler.keys) {
      EXPECT_THAT(page, HasSubstr(fmt::format("| `{}` | {} | {} |", key.key, key.usual, key.what)));
    }
  }
}

// Every `sampler:...` of the pages makes a plan.
TEST(PlanCli, SpecsOfThePagesAreSpecs) {
  int seen = 0;
  for (const char* name : {"samplers.md", "langevin.md", "plan_format.md"}) {
    std::istringstream page(read_file(kDocs + name).value());
    std::string quoted;
    for (bool inside = false; std::getline(page, quoted, '`'); inside = !inside) {
      const std::string head = quoted.substr(0, quoted.find_first_of(":,"));
      const auto known = sampler_help();
      const bool sampler = std::ranges::any_of(known, [&](auto& s) { return s.name == head; });
      if (!inside || !sampler || quoted.size() == head.size()) continue;
      EXPECT_NO_THROW(parse_plan(quoted, Schedule::linear(), {})) << quoted;
      ++seen;
    }
  }
  EXPECT_GT(seen, 10);
}

}  // namespace
}  // namespace ddpm::test
