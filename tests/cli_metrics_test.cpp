// `ddpm metrics`, through the program.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ddpm/metrics/formula_for_test.h"
#include "ddpm/metrics/statistics.h"
#include "ddpm/net/strict_json.h"
#include "tests/cli_fixture.h"

namespace ddpm::test {
namespace {

using testing::HasSubstr;

class Metrics : public Cli {
 protected:
  void SetUp() override {
    put("a.npy", formula_values(101, 300, 16, 1, 0.25f), 16);
    put("b.npy", formula_values(102, 200, 16, 1.25f, 0.125f), 16);
  }

  void put(const std::string& name, const std::vector<float>& values, std::int64_t dims) {
    folder_.write(name, write_npy(array(values, dims)));
  }

  static NpyArray array(const std::vector<float>& values, std::int64_t dims) {
    return npy_f32({std::ssize(values) / dims, dims}, values);
  }

  Json json(Words words) const {
    words.insert(words.begin(), "metrics");
    words.push_back("--json");
    const Outcome outcome = ddpm(words);
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    return value_or_throw(parse_json(outcome.out, "stdout"));
  }

  static double number(const Json& json, const char* key) {
    const Json* value = json.find(key);
    EXPECT_TRUE(value != nullptr && value->real()) << key;
    return value != nullptr ? value->real().value_or(-1) : -1;
  }

  static bool is_null(const Json& json, const char* key) {
    return json.find(key) != nullptr && json.find(key)->is(Json::Kind::null);
  }

  void expect_error(Words words, int code, const std::string& message) const {
    words.insert(words.begin(), "metrics");
    const Outcome outcome = ddpm(words);
    EXPECT_EQ(outcome.code, code) << outcome.err;
    EXPECT_THAT(outcome.err, HasSubstr(message));
    EXPECT_EQ(outcome.out, "");
  }
};

// Tolerances as in ddpm/metrics: sums in double.
TEST_F(Metrics, GivesEveryScoreOfGivenFeatures) {
  const Json j = json(
      {"--features-from", "a.npy", "b.npy", "--kid-subsets", "10", "--kid-subset-size", "100"});
  EXPECT_NEAR(number(j, "fid"), 0.9022449904143244, 1e-12);
  EXPECT_NEAR(number(j, "kid_mean"), golden_scores("kid_10x100")[0], 1e-12);
  EXPECT_NEAR(number(j, "kid_std"), golden_scores("kid_10x100")[1], 1e-12);
  EXPECT_NEAR(number(j, "precision"), golden_scores("prdc_3")[0], 1e-12);
  EXPECT_NEAR(number(j, "recall"), golden_scores("prdc_3")[1], 1e-12);
  EXPECT_NEAR(number(j, "density"), golden_scores("prdc_strict_5")[2], 1e-12);
  EXPECT_NEAR(number(j, "coverage"), golden_scores("prdc_strict_5")[3], 1e-12);
  EXPECT_EQ(number(j, "n_generated"), 300);
  EXPECT_EQ(number(j, "n_reference"), 200);
  EXPECT_EQ(number(j, "coverage_se"), 0);  // every image is covered
  for (const char* key : {"fid_se", "fid_infinity", "fid_infinity_se", "kid_se", "precision_se",
                          "recall_se", "density_se"}) {
    EXPECT_NE(number(j, key), 0) << key;
  }
  for (const char* key : {"is_mean", "is_std", "weights_fingerprint", "sfid"}) {
    EXPECT_TRUE(is_null(j, key)) << key;
  }
  EXPECT_EQ(j.find("features")->text, "given");
  EXPECT_THAT(j.find("recipe")->text, HasSubstr("10 subsets of 100, RandomState(2020)"));
  EXPECT_THAT(j.find("recipe")->text, testing::Not(HasSubstr("\n")));
}

TEST_F(Metrics, TakesSplitsAndK) {
  std::vector<float> logits;
  for (int i = 0; i < 2000; ++i) logits.push_back(4.0f * formula_value(103, i));
  const auto features = formula_values(101, 200, 16, 1, 0.25f);
  folder_.write("c.npz",
                write_npz({{"features", array(features, 16)}, {"logits", array(logits, 10)}}));
  const Json j = json({"c.npz", "b.npy", "--splits", "7"});
  EXPECT_NEAR(number(j, "is_mean"), golden_scores("is_shuffled_7")[0], 1e-12);
  EXPECT_NEAR(number(j, "is_std"), golden_scores("is_shuffled_7")[1], 1e-12);
  EXPECT_NE(number(j, "is_se"), 0);
  const Json k = json({"a.npy", "b.npy", "--k", "20"});
  EXPECT_NEAR(number(k, "recall"), golden_scores("prdc_20")[1], 1e-12);
  EXPECT_NEAR(number(k, "density"), golden_scores("prdc_strict_20")[2], 1e-12);
}

TEST_F(Metrics, LikeAnotherProgramHasItsSwitchesAndItsScores) {
  const Json t = json({"a.npy", "b.npy", "--like", "torch-fidelity", "--kid-subset-size", "100"});
  EXPECT_NEAR(number(t, "fid"), 0.9022449564612991, 3e-8);  // float32 means
  EXPECT_TRUE(is_null(t, "density"));
  EXPECT_TRUE(is_null(t, "fid_infinity"));
  const Json p = json({"a.npy", "b.npy", "--like", "pytorch-fid"});
  EXPECT_NEAR(number(p, "fid"), 0.9022449904143386, 1e-12);
  EXPECT_TRUE(is_null(p, "kid_mean"));
  EXPECT_TRUE(is_null(p, "precision"));
  const Json c = json({"a.npy", "b.npy", "--like", "clean-fid"});
  EXPECT_TRUE(is_null(c, "recall"));
  EXPECT_EQ(number(c, "fid"), number(t, "fid"));
  const Json g = json({"a.npy", "b.npy", "--like", "tfgan"});
  EXPECT_NEAR(number(g, "kid_mean"), golden_scores("kid_one_block")[0], 1e-12);
  const Json d = json({"a.npy", "b.npy", "--like", "guided-diffusion"});
  EXPECT_TRUE(is_null(d, "kid_mean"));
  EXPECT_THAT(d.find("recipe")->text, HasSubstr("float16"));
  expect_error({"a.npy", "b.npy", "--like", "torch-fidelty"}, 2, "try --like torch-fidelity");
  expect_error({"a.npy", "b.npy", "--like", "torch-fidelity"}, 2, "N is too small");
}

TEST_F(Metrics, KeepStatisticsInPytorchFidsLayout) {
  ASSERT_EQ(ddpm({"metrics", "b.npy", "--save-stats", "b.npz"}).code, 0);
  const auto arrays = parse_npz(bytes("b.npz"), "b.npz").value();
  EXPECT_EQ(arrays.at("mu").shape, std::vector<std::int64_t>{16});
  EXPECT_EQ(arrays.at("sigma").shape, (std::vector<std::int64_t>{16, 16}));
  const Json whole = json({"a.npy", "b.npy"}), kept = json({"a.npy", "b.npz"});
  EXPECT_EQ(number(kept, "fid"), number(whole, "fid"));
  EXPECT_EQ(number(kept, "fid_infinity"), number(whole, "fid_infinity"));
  EXPECT_EQ(number(kept, "n_reference"), 200);
  EXPECT_TRUE(is_null(kept, "kid_mean"));
  // Of what is kept the error is that of a normal distribution, of which these hashes are none:
  // they have no tails, so that theirs is smaller.
  EXPECT_GT(number(kept, "fid_se"), number(whole, "fid_se"));
  EXPECT_LT(number(kept, "fid_se"), 2 * number(whole, "fid_se"));
  auto silent = arrays;
  silent.erase("n");
  folder_.write("silent.npz", write_npz(silent));
  EXPECT_LT(number(json({"a.npy", "silent.npz"}), "fid_se"), number(kept, "fid_se"));
  EXPECT_THAT(ddpm({"metrics", "a.npy", "silent.npz"}).err,
              HasSubstr("silent.npz does not say of how many images it is"));
  EXPECT_TRUE(is_null(json({"silent.npz", "silent.npz"}), "fid_se"));
}

TEST_F(Metrics, KeptStatisticsHaveTheMeansOfTheirRecipe) {
  for (const std::string name : {"a", "b"}) {
    ASSERT_EQ(
        ddpm({"metrics", name + ".npy", "--save-stats", name + ".npz", "--like", "torch-fidelity"})
            .code,
        0);
  }
  EXPECT_EQ(parse_npz(bytes("a.npz"), "a.npz").value().at("mu").type, NpyType::f32);
  const Json whole =
      json({"a.npy", "b.npy", "--like", "torch-fidelity", "--kid-subset-size", "100"});
  const Json kept = json({"a.npz", "b.npz", "--like", "torch-fidelity"});
  EXPECT_EQ(number(kept, "fid"), number(whole, "fid"));
  EXPECT_THAT(kept.find("recipe")->text, HasSubstr("float32 means"));
  ASSERT_EQ(ddpm({"metrics", "b.npy", "--save-stats", "b64.npz"}).code, 0);
  EXPECT_THAT(json({"a.npz", "b64.npz", "--like", "torch-fidelity"}).find("recipe")->text,
              HasSubstr("float64 means"));
}

// As guided-diffusion's references: features of some images, statistics of all.
TEST_F(Metrics, StatisticsAreForTheDistanceAndFeaturesForTheRest) {
  ASSERT_EQ(ddpm({"metrics", "b.npy", "--save-stats", "b.npz"}).code, 0);
  auto arrays = parse_npz(bytes("b.npz"), "b.npz").value();
  arrays["features"] = array(formula_values(102, 150, 16, 1.25f, 0.125f), 16);
  folder_.write("both.npz", write_npz(arrays));
  put("some.npy", formula_values(102, 150, 16, 1.25f, 0.125f), 16);
  const Json both = json({"a.npy", "both.npz"});
  EXPECT_EQ(number(both, "fid"), number(json({"a.npy", "b.npz"}), "fid"));
  EXPECT_EQ(number(both, "precision"), number(json({"a.npy", "some.npy"}), "precision"));
  EXPECT_NE(number(both, "precision"), number(json({"a.npy", "b.npy"}), "precision"));
}

TEST_F(Metrics, TheInceptionScoreIsWhose) {
  std::vector<float> logits;
  for (int i = 0; i < 2000; ++i) logits.push_back(4.0f * formula_value(103, i));
  folder_.write("c.npz", write_npz({{"features", array(formula_values(101, 200, 16, 1, 0), 16)},
                                    {"logits", array(logits, 10)}}));
  const Json dropped = json({"c.npz", "b.npy", "--is", "dgm-eval", "--splits", "7"});
  EXPECT_NEAR(number(dropped, "is_mean"), golden_scores("is_dropped_7")[0], 1e-12);
  const Json openai = json({"c.npz", "b.npy", "--is", "openai"});
  EXPECT_NEAR(number(openai, "is_mean"), golden_scores("is_plain_10")[0], 1e-6);  // float32
  EXPECT_THAT(openai.find("recipe")->text, HasSubstr("10 even splits, not shuffled, float32"));
  const Json one = json({"c.npz", "b.npy", "--is", "tfgan"});
  EXPECT_NEAR(number(one, "is_mean"), golden_scores("is_one")[0], 1e-12);
  EXPECT_TRUE(is_null(one, "is_std"));
  expect_error({"c.npz", "b.npy", "--is", "ttur"}, 2, "expected one of");
}

TEST_F(Metrics, SaysWhatIsMissingAndDescribesWhatIsThere) {
  const Outcome outcome = ddpm({"metrics", "a.npy", "b.npy", "--seed", "3"});
  EXPECT_THAT(outcome.err, HasSubstr("no Inception Score"));
  EXPECT_THAT(outcome.err, HasSubstr("no sFID"));
  EXPECT_THAT(outcome.out, HasSubstr("seed 3)"));
  EXPECT_THAT(outcome.out, testing::Not(HasSubstr("IS(")));
  folder_.write("logits.npz", write_npz({{"logits", array(formula_values(1, 50, 10, 4, 0), 10)}}));
  const Outcome logits = ddpm({"metrics", "logits.npz", "b.npy"});
  EXPECT_EQ(logits.code, 0) << logits.err;
  EXPECT_THAT(logits.err, testing::Not(HasSubstr("biased upwards")));
}

TEST_F(Metrics, ShardsAndThreadsAreTheWhole) {
  const auto a = formula_values(101, 300, 16, 1, 0.25f);
  put("shards/0.npy", {a.begin(), a.begin() + 100 * 16}, 16);
  put("shards/1.npy", {a.begin() + 100 * 16, a.end()}, 16);
  const Words whole{"metrics", "a.npy", "b.npy", "--json", "--threads", "1"};
  const Words parts{"metrics", "--features-from", "shards", "b.npy", "--json", "--threads", "3"};
  EXPECT_EQ(ddpm(whole).out, ddpm(parts).out);
}

// KID and the Inception Score draw rows by number: shard 10 must come after shard 9.
TEST_F(Metrics, TwelveShardsOfGivenFeaturesAreTheWhole) {
  std::filesystem::create_directory(folder_ / "twelve");
  for (int i = 0; i < 12; ++i) {
    ASSERT_EQ(ddpm({"metrics", "a.npy", "--shard", fmt::format("{}/12", i), "--save-features",
                    fmt::format("twelve/{}.npz", i)})
                  .code,
              0);
  }
  EXPECT_EQ(ddpm({"metrics", "twelve", "b.npy", "--json"}).out,
            ddpm({"metrics", "a.npy", "b.npy", "--json"}).out);
  ASSERT_EQ(ddpm({"metrics", "b.npy", "--save-stats", "b.npz"}).code, 0);
  expect_error({"b.npz", "--shard", "0/2", "--save-features", "c.npz"}, 2, "try without --shard");
}

// Other programs compute in the type of the features.
TEST_F(Metrics, OfFloat64FeaturesAreInDoubleWhateverTheRecipe) {
  const auto put_doubles = [&](const std::string& name, const Features& f) {
    std::vector<double> values;
    for (int i = 0; i < f.rows(); ++i) {
      for (int j = 0; j < f.dims(); ++j) values.push_back(f.at(i, j));
    }
    folder_.write(name, write_npy(npy_f64({f.rows(), f.dims()}, values)));
  };
  put_doubles("a64.npy", x1());
  put_doubles("b64.npy", x2());
  const Words kid{"--kid-subsets", "10", "--kid-subset-size", "100"};
  Words words{"a64.npy", "b64.npy", "--like", "torch-fidelity"};
  words.insert(words.end(), kid.begin(), kid.end());
  const Json j = json(words);
  EXPECT_NEAR(number(j, "fid"), 0.9022449904143244, 1e-12);
  EXPECT_NEAR(number(j, "kid_mean"), golden_scores("kid_10x100")[0], 1e-12);
  ASSERT_EQ(ddpm({"metrics", "a64.npy", "--save-features", "kept.npz"}).code, 0);
  EXPECT_EQ(number(json({"kept.npz", "b.npy"}), "fid"), number(json({"a64.npy", "b.npy"}), "fid"));
}

TEST_F(Metrics, SaysWhatItDoubts) {
  put("few.npy", formula_values(201, 12, 16, 1, 0.25f), 16);
  const Outcome outcome = ddpm({"metrics", "few.npy", "b.npy"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.err, HasSubstr("the generated set has 12 images"));
  EXPECT_THAT(outcome.err, HasSubstr("a covariance is singular (rank 11 of 16"));
  EXPECT_THAT(outcome.out, HasSubstr("recipe"));
  EXPECT_GT(number(json({"few.npy", "b.npy"}), "fid_doubt"), 0);
}

TEST_F(Metrics, RefusesBadInputByName) {
  put("none.npy", {}, 16);
  folder_.write("one.npy", write_npy(npy_f32({1, 16}, std::vector<float>(16))));
  put("other.npy", formula_values(1, 50, 8, 1, 0), 8);
  auto nan = formula_values(1, 50, 16, 1, 0);
  nan[16 * 3 + 2] = NAN;
  put("nan.npy", nan, 16);
  folder_.write("cut.npy", bytes("a.npy").substr(0, 1000));
  ASSERT_EQ(ddpm({"metrics", "b.npy", "--save-stats", "b.npz"}).code, 0);
  folder_.write("cut.npz", bytes("b.npz").substr(0, 900));
  std::vector<double> sigma(4, 1.0);
  sigma[1] = 0.5;
  folder_.write("skew.npz",
                write_npz({{"mu", npy_f64({2}, {0, 0})}, {"sigma", npy_f64({2, 2}, sigma)}}));
  std::filesystem::create_directory(folder_ / "empty");
  expect_error({"none.npy", "b.npy"}, 3, "none.npy: got 0 images");
  expect_error({"one.npy", "b.npy"}, 3, "one.npy: got 1 image, expected at least 2");
  expect_error({"a.npy", "--shard", "0/400", "--save-features", "x.npz"}, 3, "got no images in");
  folder_.write("uneven.npz", write_npz({{"features", array(formula_values(1, 9, 4, 1, 0), 4)},
                                         {"logits", array(formula_values(1, 8, 4, 1, 0), 4)}}));
  expect_error({"uneven.npz", "b.npy"}, 3, "got 9 images in one array and 8 in `logits`");
  const std::vector<double> bad{1, 0, 0, -1};
  folder_.write("minus.npz",
                write_npz({{"mu", npy_f64({2}, {0, 0})}, {"sigma", npy_f64({2, 2}, bad)}}));
  expect_error({"a.npy", "minus.npz"}, 3, "expected variances >= 0");
  expect_error({"a.npy", "other.npy"}, 3, "a.npy has 16 features an image and other.npy 8");
  expect_error({"nan.npy", "b.npy"}, 3, "nan.npy: got nan in row 3, column 2");
  expect_error({"cut.npy", "b.npy"}, 3, "cut.npy");
  expect_error({"a.npy", "cut.npz"}, 3, "cut.npz: not a ZIP archive, or cut short");
  expect_error({"a.npy", "skew.npz"}, 3, "expected a symmetric covariance");
  expect_error({"a.npy", "empty"}, 3, "empty: got a folder without PNG files");
  expect_error({"a.npy", "missing.npy"}, 3, "missing.npy");
  expect_error({"a.npy", "picture.png"}, 3, "picture.png: no such file or folder");
  expect_error({"a.npy", "nothing"}, 3, "expected a model folder or the name of a shipped model");
  expect_error({"a.npy"}, 2, "got 1 input, expected GENERATED and REFERENCE");
  expect_error({"a.npy", "b.npy", "--features-from", "a.npy", "b.npy"}, 2, "expected one of them");
  expect_error({"a.npy", "b.npy", "--k", "0"}, 2, "--k");
  expect_error({"a.npy", "b.npy", "--k", "200"}, 2, "try --k 199");
  expect_error({"a.npy", "b.npy", "--kid-subset-size", "201"}, 2, "try --kid-subset-size 200");
}

}  // namespace
}  // namespace ddpm::test
