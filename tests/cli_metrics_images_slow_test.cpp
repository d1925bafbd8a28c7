// `ddpm metrics` on images, through FID's network with weights made of a hash.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ddpm/base/zip.h"
#include "ddpm/data/npy.h"
#include "ddpm/image/png.h"
#include "ddpm/net/inception_for_test.h"
#include "ddpm/net/strict_json.h"
#include "tests/cli_fixture.h"

namespace ddpm::test {
namespace {

using testing::HasSubstr;

constexpr int kSide = 16;

Image picture(int i) {
  Image image = blank_image(kSide, kSide, 3);
  const auto bytes = formula_image({static_cast<std::uint32_t>(100 + i), kSide, kSide}, 0);
  for (int p = 0; p < kSide * kSide; ++p) {
    for (int c = 0; c < 3; ++c) image.pixels[3 * p + c] = bytes[c * kSide * kSide + p];
  }
  return image;
}

class MetricsOfImages : public Cli {
 protected:
  static void SetUpTestSuite() {
    weights_ = new TempFolder;
    weights_->write("w.safetensors", encode_safetensors(formula_inception()));
  }
  static void TearDownTestSuite() { delete weights_; }

  void SetUp() override {
    Cli::SetUp();
    put("a", 0, 12);
    put("b", 50, 13);
  }

  void put(const std::string& folder, int first, int n) {
    std::filesystem::create_directory(folder_ / folder);
    for (int i = 0; i < n; ++i) {
      folder_.write(fmt::format("{}/{:03}.png", folder, i), encode_png(picture(first + i)));
    }
  }

  static std::string weights() { return (*weights_ / "w.safetensors").string(); }

  Words with_weights(Words words) const {
    words.insert(words.begin(), "metrics");
    words.insert(words.end(), {"--inception", weights(), "--kid-subset-size", "10"});
    return words;
  }

  Json json(Words words) const {
    words = with_weights(std::move(words));
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

  void expect_error(const Words& words, int code, const std::string& message) const {
    const Outcome outcome = ddpm(with_weights(words));
    EXPECT_EQ(outcome.code, code) << outcome.err;
    EXPECT_THAT(outcome.err, HasSubstr(message));
  }

  static TempFolder* weights_;
};
TempFolder* MetricsOfImages::weights_ = nullptr;

TEST_F(MetricsOfImages, HaveEveryScoreAndTheFingerprint) {
  const Json j = json({"a", "b"});
  for (const char* key : {"fid", "fid_se", "sfid", "sfid_se", "is_mean", "is_se", "kid_mean",
                          "kid_se", "precision", "recall", "density", "coverage"}) {
    number(j, key);
  }
  EXPECT_GT(number(j, "fid"), 1);
  EXPECT_EQ(number(j, "n_generated"), 12);
  EXPECT_EQ(j.find("features")->text, "inception:2048");
  EXPECT_EQ(j.find("weights_fingerprint")->text, inception_fingerprint(formula_inception()));
  EXPECT_THAT(j.find("recipe")->text, HasSubstr("inception:2048 torch-fidelity "));
  EXPECT_THAT(j.find("recipe")->text,
              HasSubstr(" f32-direct, alpha refuse, 2048 dimensions, N = 12 / 13"));
}

TEST_F(MetricsOfImages, AreTheSameFromFoldersZipsArraysShardsAndThreads) {
  const Json want = json({"a", "b", "--threads", "1"});
  std::vector<std::pair<std::string, std::string>> entries;
  std::string pixels;
  for (int i = 0; i < 12; ++i) {
    const Image image = picture(i);
    entries.emplace_back(fmt::format("{:03}.png", i), encode_png(image));
    pixels.append(image.pixels.begin(), image.pixels.end());
  }
  folder_.write("a.zip", write_zip(entries));
  const NpyArray array{NpyType::u8, {12, kSide, kSide, 3}, pixels};
  folder_.write("a.npy", write_npy(array));
  folder_.write("a.npz", write_npz({{"arr_0", array}}));
  std::filesystem::create_directory(folder_ / "shards");
  for (int i = 0; i < 3; ++i) {
    const Outcome outcome =
        ddpm({"metrics", "a", "--inception", weights(), "--shard", fmt::format("{}/3", i),
              "--save-features", fmt::format("shards/{}.npz", i), "--threads", "2"});
    EXPECT_EQ(outcome.code, 0) << outcome.err;
  }
  for (const char* same : {"a.zip", "a.npy", "a.npz", "shards"}) {
    const Json got = json({same, "b"});
    for (const char* key : {"fid", "sfid", "is_mean", "kid_mean", "precision", "coverage"}) {
      EXPECT_EQ(number(got, key), number(want, key)) << same << key;
    }
  }
  EXPECT_EQ(number(json({"a", "a.zip"}), "fid"), 0);
}

TEST_F(MetricsOfImages, KeepStatisticsThatSayWhatMadeThem) {
  ASSERT_EQ(ddpm(with_weights({"b", "--save-stats", "b.npz"})).code, 0);
  EXPECT_EQ(number(json({"a", "b.npz"}), "fid"), number(json({"a", "b"}), "fid"));
  expect_error({"a", "b.npz", "--input", "clean-fid"}, 3, "expected the same network, input");
  auto arrays = parse_npz(bytes("b.npz"), "b.npz").value();
  arrays.erase("made_by");
  folder_.write("theirs.npz", write_npz(arrays));
  const Outcome outcome = ddpm(with_weights({"a", "theirs.npz"}));
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.err, HasSubstr("theirs.npz does not say what made its features"));
  // guided-diffusion's: some images beside the statistics of all.
  std::string pixels;
  for (int i = 20; i < 25; ++i) {
    const Image image = picture(i);
    pixels.append(image.pixels.begin(), image.pixels.end());
  }
  arrays["arr_0"] = {NpyType::u8, {5, kSide, kSide, 3}, pixels};
  folder_.write("guided.npz", write_npz(arrays));
  const Json guided = json({"a", "guided.npz", "--like", "guided-diffusion"});
  const Json whole = json({"a", "b", "--like", "guided-diffusion"});
  // Their means are float64's here, so that the means of both sets are.
  EXPECT_NEAR(number(guided, "fid"), number(whole, "fid"), 1e-6 * number(whole, "fid"));
  EXPECT_NEAR(number(guided, "sfid"), number(whole, "sfid"), 1e-6 * number(whole, "sfid"));
  EXPECT_EQ(number(guided, "n_reference"), 5);
  number(guided, "precision");
}

TEST_F(MetricsOfImages, DifferByInputPipeline) {
  const double usual = number(json({"a", "b"}), "fid");
  for (const char* input : {"pytorch-fid", "clean-fid"}) {
    const Json j = json({"a", "b", "--input", input});
    EXPECT_NE(number(j, "fid"), usual) << input;
    EXPECT_THAT(j.find("recipe")->text, HasSubstr(fmt::format("inception:2048 {} ", input)));
  }
  const Json like = json({"a", "b", "--like", "clean-fid"});
  EXPECT_EQ(number(like, "fid"),
            number(json({"a", "b", "--input", "clean-fid", "--like", "clean-fid"}), "fid"));
  EXPECT_THAT(like.find("recipe")->text, HasSubstr("inception:2048 clean-fid "));
  EXPECT_EQ(number(json({"a", "b", "--input", "ddpm"}), "fid"), usual);  // bytes are whole numbers
}

TEST_F(MetricsOfImages, OfTheFastProfileAreNear) {
  const double direct = number(json({"a", "b"}), "fid");
  // Features move by 6e-5 of their largest value at most (inception_golden_test.cpp), and FID as
  // their square root's product does: far less than its own standard error.
  EXPECT_NEAR(number(json({"a", "b", "--profile", "f32"}), "fid"), direct, 1e-4 * direct);
}

TEST_F(MetricsOfImages, TakeOtherLayers) {
  const Json j = json({"a", "b", "--features", "inception:64"});
  EXPECT_EQ(j.find("features")->text, "inception:64");
  EXPECT_TRUE(j.find("sfid")->is(Json::Kind::null));
  expect_error({"a", "b", "--features", "inception:65"}, 2, "inception:TAP");
}

TEST_F(MetricsOfImages, TakeAModelsSamplesWithoutFiles) {
  train();
  const auto before = tree(folder_.path());
  const Json j = json({"runs/tiny", "images-idx3-ubyte", "-n", "11", "--plan", "ddim:2"});
  EXPECT_EQ(number(j, "n_generated"), 11);
  EXPECT_EQ(tree(folder_.path()), before);
  const Outcome drawn =
      ddpm({"sample", "runs/tiny", "-n", "11", "--plan", "ddim:2", "-o", "drawn/"});
  ASSERT_EQ(drawn.code, 0) << drawn.err;
  EXPECT_EQ(number(json({"drawn", "images-idx3-ubyte"}), "fid"), number(j, "fid"));
}

TEST_F(MetricsOfImages, RefuseBadInputByName) {
  std::filesystem::create_directory(folder_ / "empty");
  put("one", 0, 1);
  put("mixed", 0, 2);
  folder_.write("mixed/9.png", encode_png(blank_image(5, 5, 3)));
  folder_.write("w.pth", "PK\x03\x04 not one");
  std::filesystem::copy_file(std::string(DDPM_SOURCE_DIR) + "/tests/golden/net/small.pth",
                             folder_ / "pt-00000000.pth");
  expect_error({"empty", "b"}, 3, "a folder without PNG files");
  expect_error({"one", "b"}, 3, "got 1 image, expected at least 2");
  expect_error({"mixed", "b"}, 3, "9.png: got 5x5, expected 16x16");
  expect_error({"missing/", "b"}, 3, "missing/: no such file or folder");
  expect_error({"a", "gone.npz"}, 3, "gone.npz: no such file or folder");  // before the features
  expect_error({"missing", "b"}, 3, "expected a model folder");
  expect_error({"a", "b", "--input", "tf"}, 2, "expected torch-fidelity");
  expect_error({"a", "b", "--alpha", "black"}, 2, "expected refuse, white or drop");
  expect_error({"a", "b", "--shard", "0/2"}, 2, "expected --save-features with it");
  expect_error({"a", "--shard", "2/2", "--save-features", "x.npz"}, 2, "got --shard 2/2");
  const Outcome named = ddpm({"metrics", "a", "b", "--inception", "pt-00000000.pth"});
  EXPECT_EQ(named.code, 3);
  EXPECT_THAT(named.err, HasSubstr("expected 00000000 as its name says"));
  const Outcome other = ddpm({"metrics", "a", "b", "--inception",
                              std::string(DDPM_SOURCE_DIR) + "/tests/golden/net/small.pth"});
  EXPECT_EQ(other.code, 3);
  EXPECT_THAT(other.err, HasSubstr("small.pth"));
  const Outcome gone = ddpm({"metrics", "a", "b", "--inception", "gone.pth"});
  EXPECT_EQ(gone.code, 3);
  EXPECT_THAT(gone.err, HasSubstr("gone.pth, which is not there, expected a .pth"));
  const Outcome wrong = ddpm({"metrics", "a", "b", "--inception", "w.pth"});
  EXPECT_EQ(wrong.code, 3);
  EXPECT_THAT(wrong.err, HasSubstr("w.pth"));
}

TEST_F(MetricsOfImages, FindTheWeightsInTheCacheOrSayWhereToGetThem) {
  const std::string home = folder_.path().string();
  const Environment nothing = {{"XDG_CACHE_HOME", home + "/cache"},
                               {"TORCH_HOME", home + "/torch"}};
  const Outcome none = ddpm({"metrics", "a", "b"}, nothing);
  EXPECT_EQ(none.code, 3);
  EXPECT_THAT(none.err, HasSubstr("curl -L -o " + home + "/cache/ddpm/pt_inception-2015-12-05"));
  std::filesystem::create_directories(folder_ / "cache/ddpm");
  std::filesystem::create_symlink(weights(),
                                  folder_ / "cache/ddpm/inception-2015-12-05.safetensors");
  const Outcome found = ddpm({"metrics", "a", "b"}, nothing);
  EXPECT_EQ(found.code, 0) << found.err;
  // Their name promises the start of a SHA-256.
  std::filesystem::create_symlink(weights(),
                                  folder_ / "cache/ddpm/weights-inception-2015-12-05-6726825d.pth");
  const Outcome false_name = ddpm({"metrics", "a", "b"}, nothing);
  EXPECT_EQ(false_name.code, 3);
  EXPECT_THAT(false_name.err, HasSubstr("expected 6726825d as its name says"));
}

}  // namespace
}  // namespace ddpm::test
