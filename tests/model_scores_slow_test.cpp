// The scores of the shipped models in the features of the shipped classifier, as their pages have
// them made.
#include <gtest/gtest.h>

#include <cmath>

#include "ddpm/net/strict_json.h"
#include "tests/cli_fixture.h"

namespace ddpm::test {
namespace {

constexpr const char* kFeatures = "fashion-mnist-classifier";

class ModelScores : public Cli {
 protected:
  void SetUp() override {
    if (!std::filesystem::exists("/usr/share/datasets/fashion-mnist")) {
      GTEST_SKIP() << "package not installed";
    }
  }

  Json scores(const std::string& generated, const std::string& reference, Words more = {}) const {
    Words words{"metrics", generated, reference, "--features", kFeatures, "--json"};
    words.insert(words.end(), more.begin(), more.end());
    const Outcome outcome = ddpm(words);
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    return value_or_throw(parse_json(outcome.out, "stdout"));
  }

  void save_part(const std::string& data, const std::string& part, const std::string& file) const {
    const Outcome outcome =
        ddpm({"metrics", data, "--shard", part, "--features", kFeatures, "--save-features", file});
    ASSERT_EQ(outcome.code, 0) << outcome.err;
  }

  static double real(const Json& json, const char* key) {
    const Json* value = json.find(key);
    return value ? value->real().value_or(NAN) : NAN;
  }
};

// 2000 training and 2000 test images are samples of one distribution; a model of it is further
// away, and further still when it makes five calls of ancestral sampling. The distances were 0.07,
// 1.0 and 20 with standard errors of 0.5 at most.
TEST_F(ModelScores, TrainingImagesAreNearestThenTheModelsBestThenItsWorst) {
  save_part("fashion-mnist:train", "0/30", "train.npz");
  save_part("fashion-mnist:test", "0/5", "test.npz");
  const Json floor = scores("train.npz", "test.npz");
  const Json best = scores("fashion-mnist", "test.npz", {"-n", "100", "--plan", "ddim:10"});
  const Json worst = scores("fashion-mnist", "test.npz", {"-n", "100", "--plan", "ddpm:5"});
  EXPECT_LT(real(floor, "fd"), real(best, "fd") / 3);
  EXPECT_LT(real(best, "fd"), real(worst, "fd") / 3);
  EXPECT_GT(real(floor, "precision"), real(worst, "precision"));
  EXPECT_EQ(real(floor, "n_generated"), 2000);
  EXPECT_EQ(real(best, "n_generated"), 100);
  for (const Json* json : {&floor, &best, &worst}) {
    EXPECT_EQ(json->find("features")->text, "classifier:fashion-mnist-classifier");
    EXPECT_TRUE(json->find("fid")->is(Json::Kind::null));
    EXPECT_EQ(json->find("weights_fingerprint")->text, floor.find("weights_fingerprint")->text);
  }
}

}  // namespace
}  // namespace ddpm::test
