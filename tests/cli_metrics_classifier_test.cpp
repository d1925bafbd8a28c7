// `ddpm metrics` and `ddpm bench-samplers` in the features of a small classifier.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "ddpm/net/classifier.h"
#include "ddpm/net/strict_json.h"
#include "tests/cli_fixture.h"

namespace ddpm::test {
namespace {

using testing::HasSubstr;
using testing::Not;

class MetricsOfClassifier : public Cli {
 protected:
  void SetUp() override {
    Cli::SetUp();
    folder_.write("other-idx3-ubyte", idx_images(20, 8));
    write_classifier("inception-like");
  }

  void write_classifier(const std::string& name, bool noisy = false, int seed = 5) {
    Classifier c;
    c.config = {.in_channels = 1,
                .height = 8,
                .width = 8,
                .num_classes = 3,
                .block_out_channels = {8, 8},
                .norm_num_groups = 4,
                .noisy = noisy};
    if (noisy) c.schedule = Schedule::cosine(20);
    c.params = init_unet(c.graph(ClassifierOutput::logits), seed);
    for (const auto& [path, bytes] : classifier_files(c)) folder_.write(name + "/" + path, bytes);
  }

  Json json(const Words& words, const Environment& environment = {}) const {
    const Outcome outcome = ddpm(words, environment);
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    return value_or_throw(parse_json(outcome.out, "stdout"));
  }

  static Words metrics(const Words& more) {
    Words words{"metrics",    "images-idx3-ubyte", "other-idx3-ubyte",
                "--features", "inception-like",    "--k",
                "3",          "--splits",          "2"};
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }
};

TEST_F(MetricsOfClassifier, AreLabelledAndNeverFid) {
  const Json j = json(metrics({"--json"}));
  for (const char* key : {"fid", "fid_se", "fid_infinity", "sfid"}) {
    ASSERT_NE(j.find(key), nullptr) << key;
    EXPECT_TRUE(j.find(key)->is(Json::Kind::null)) << key;
  }
  for (const char* key : {"fd", "is_mean", "kid_mean", "precision", "recall"}) {
    ASSERT_NE(j.find(key), nullptr) << key;
    EXPECT_TRUE(j.find(key)->real().has_value()) << key;
  }
  EXPECT_EQ(j.find("features")->text, "classifier:inception-like");
  EXPECT_EQ(j.find("weights_fingerprint")->text.size(), 16u);
  EXPECT_THAT(j.find("recipe")->text, HasSubstr("features classifier:inception-like bytes "));
  const Outcome text = ddpm(metrics({}));
  EXPECT_EQ(text.code, 0) << text.err;
  EXPECT_THAT(text.out,
              HasSubstr("features      classifier:inception-like (not Inception's)\nFD "));
  EXPECT_THAT(text.out + text.err, Not(HasSubstr("FID")));
}

TEST_F(MetricsOfClassifier, ARunFolderANameAndAKeptFileAreTheSame) {
  const auto expected = json(metrics({"--json"})).find("fd")->real();
  std::filesystem::create_directories(folder_ / "run/checkpoints");
  write_classifier("run/checkpoints/step-1");
  folder_.write("run/latest", "step-1");
  Words run = metrics({"--json"});
  run[4] = "run/";
  EXPECT_EQ(json(run).find("features")->text, "classifier:run");
  EXPECT_EQ(json(run).find("fd")->real(), expected);

  write_classifier("kept/hats");
  Words shipped = metrics({"--json"});
  shipped[4] = "hats";
  EXPECT_EQ(json(shipped, {{"DDPM_MODELS", "kept"}}).find("fd")->real(), expected);

  ASSERT_EQ(
      ddpm({"metrics", "other-idx3-ubyte", "--features", "inception-like", "--save-stats", "s.npz"})
          .code,
      0);
  run[2] = "s.npz";
  EXPECT_EQ(json(run).find("fd")->real(), expected);
  write_classifier("other", false, /*seed=*/6);
  run[4] = "other";
  EXPECT_EQ(ddpm(run).code, 3);  // of other weights
}

TEST_F(MetricsOfClassifier, RefusesWhatIsNoSuchNetwork) {
  write_classifier("noisy", true);
  folder_.write("big-idx3-ubyte", idx_images(4, 10));
  const auto refused = [&](Words words, int code, const char* message) {
    const Outcome outcome = ddpm(words);
    EXPECT_EQ(outcome.code, code) << outcome.err;
    EXPECT_THAT(outcome.err, HasSubstr(message));
    EXPECT_EQ(outcome.out, "");
  };
  const auto with = [](const char* name) {
    Words words = metrics({});
    words[4] = name;
    return words;
  };
  refused(with("noisy"), 3, "expected one of clean images");
  refused(with("inceptoin"), 2, "expected inception, inception:TAP");
  refused(with("inception:63"), 2, "expected inception, inception:TAP");
  refused(with("nothing"), 3, "'nothing'");
  folder_.write("model/unet/config.json", "{}");
  refused(with("model"), 3, "got model, which has no classifier/config.json");
  refused(metrics({"--input", "clean-fid"}), 2, "try without --input");
  refused({"metrics", "big-idx3-ubyte", "other-idx3-ubyte", "--features", "inception-like"}, 3,
          "got images of 1 x 10 x 10");
}

TEST_F(MetricsOfClassifier, BenchSamplersScoresThePlansAsMetricsDoes) {
  train();
  const Words words{"bench-samplers",
                    "runs/tiny",
                    "--data",
                    "other-idx3-ubyte",
                    "--features",
                    "inception-like",
                    "-n",
                    "18",
                    "--samplers",
                    "ddim",
                    "heun",
                    "pndm",
                    "--calls",
                    "9",
                    "4",
                    "3",
                    "-o",
                    "bench",
                    "--json"};
  const Outcome outcome = ddpm(words);
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.err, HasSubstr("pndm has no plan of 3 or 4 or 9 calls\n"));  // 13 at least
  EXPECT_THAT(outcome.err, HasSubstr("heun:2: 3 calls, "));
  const Json j = value_or_throw(parse_json(outcome.out, "stdout"));
  EXPECT_EQ(j.find("score")->text, "FD in classifier:inception-like");
  EXPECT_EQ(j.find("n_reference")->real(), 20);
  const auto& rows = j.find("rows")->items;
  const char* const plans[] = {"ddim:3", "ddim:4", "ddim:9", "heun:2", "heun:5"};
  const int calls[] = {3, 4, 9, 3, 9};  // heun:2 is the plan of 3 and 4 calls, once
  ASSERT_EQ(rows.size(), std::size(plans));
  for (std::size_t i = 0; i < rows.size(); ++i) {
    EXPECT_EQ(rows[i].find("plan")->text, plans[i]);
    EXPECT_EQ(rows[i].find("calls")->real(), calls[i]);
    EXPECT_GT(rows[i].find("seconds_per_image")->real(), 0);
    const Json alone =
        json({"metrics", "runs/tiny", "other-idx3-ubyte", "--features", "inception-like", "-n",
              "18", "--plan", plans[i], "--k", "3", "--splits", "2", "--json"});
    EXPECT_EQ(rows[i].find("distance")->real(), alone.find("fd")->real()) << plans[i];
    EXPECT_EQ(rows[i].find("distance_se")->real(), alone.find("fd_se")->real()) << plans[i];
  }
  EXPECT_EQ(std::ranges::count(bytes("bench/samplers.csv"), '\n'), 6);
  EXPECT_EQ(bytes("bench/samplers.png").substr(1, 3), "PNG");
}

// Of a schedule of 20 times: pndm makes 9 calls more than steps, heun twice as many less one, pc
// two a step; the samplers in lambda have 19 steps at most.
TEST_F(MetricsOfClassifier, BenchSamplersKnowsEverySamplerAndTimesWithoutData) {
  train();
  const Outcome outcome =
      ddpm({"bench-samplers", "runs/tiny", "-n", "3", "--calls", "20", "5000", "-o", "new/folder"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  for (const char* plan :
       {"ddpm:20 ", "ddim:20 ", "dpmpp:19 ", "unipc:19 ", "deis:19 ", "pndm:11 ", "pndm:20 ",
        "euler:20 ", "heun:10 ", "heun:20 ", "euler_a:20 ", "lms:20 ", "pc:10 ", "pc:20 "}) {
    EXPECT_THAT(outcome.out, HasSubstr(plan));
  }
  EXPECT_EQ(std::ranges::count(outcome.out, '\n'), 1 + 14 + 2) << outcome.out;
  EXPECT_THAT(outcome.out, HasSubstr("\nnew/folder/samplers.csv\nnew/folder/samplers.png\n"));
  EXPECT_THAT(outcome.out + outcome.err, Not(HasSubstr("F")));  // neither FD nor FID
}

TEST_F(MetricsOfClassifier, BenchSamplersRefusesBeforeItDraws) {
  train();
  const auto refused = [&](Words more, int code, const char* message) {
    Words words{"bench-samplers", "runs/tiny"};
    words.insert(words.end(), more.begin(), more.end());
    const Outcome outcome = ddpm(words);
    EXPECT_EQ(outcome.code, code) << outcome.err;
    EXPECT_THAT(outcome.err, HasSubstr(message));
    EXPECT_EQ(outcome.out, "");
    EXPECT_FALSE(std::filesystem::exists(folder_ / "samplers/samplers.csv"));
  };
  refused({"--samplers", "uinpc"}, 2, "try 'unipc'");
  refused({"--samplers", "ddim:50"}, 2, "try --calls");
  refused({"--calls", "0"}, 2, "--calls");
  refused({"--samplers", "pndm", "--calls", "5"}, 2, "no plan of so few calls");
  refused({"-n", "1"}, 2, "--count");
  refused({"--data", "nothing.npz"}, 3, "nothing.npz: no such file");
  refused({"--data", "other-idx3-ubyte", "--features", "nothing"}, 3, "'nothing'");
}

}  // namespace
}  // namespace ddpm::test
