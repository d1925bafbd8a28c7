// Classes and guidance on the command line, by small networks of random weights.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ddpm/data/npy.h"
#include "ddpm/image/png.h"
#include "ddpm/net/strict_json.h"
#include "tests/program.h"
#include "tests/tiny_models.h"

namespace ddpm::test {
namespace {

using testing::HasSubstr;
using Words = std::vector<std::string>;

class Guidance : public testing::Test {
 protected:
  void SetUp() override {
    write("class", {.classes = 3, .null_class = true});
    write("always", {.classes = 3});
    write("plain", {.seed = 2});
  }

  void write(const std::string& name, const TinyModel& what) const {
    write_files(folder_, name, model_files(tiny_model(what)));
  }

  Outcome sample(const Words& more) const {
    Words words = {"sample", "--plan", "ddim:3", "--threads", "1"};
    words.insert(words.end(), more.begin(), more.end());
    return run(folder_.path(), ddpm(words));
  }

  std::string floats(const Words& more) const {
    Words words = more;
    words.insert(words.end(), {"-o", "x.npy"});
    const Outcome outcome = sample(words);
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    const std::string bytes = read_file(folder_ / "x.npy").value_or("");
    return parse_npy(bytes, "x").value().bytes;
  }

  std::string refusal(const Words& more) const {
    const Outcome outcome = sample(more);
    EXPECT_EQ(outcome.code, 2) << outcome.err;
    return outcome.err;
  }

  TempFolder folder_;
};

constexpr std::size_t kImageBytes = 64 * sizeof(float);

TEST_F(Guidance, OfZeroIsTheModelWithoutClassesAndOfOneThatWithThem) {
  const std::string without = floats({"class", "-n", "5"});
  const std::string with = floats({"class", "-n", "5", "--label", "2"});
  EXPECT_NE(without, with);
  EXPECT_EQ(floats({"class", "-n", "5", "--label", "2", "--guidance", "0"}), without);
  EXPECT_EQ(floats({"class", "-n", "5", "--label", "2", "--guidance", "1"}), with);
  const std::string more = floats({"class", "-n", "5", "--label", "2", "--guidance", "2.5"});
  EXPECT_NE(more, with);
  EXPECT_EQ(floats({"class", "-n", "5", "--label", "Ankle boot", "--guidance", "2.5"}), more);
}

// More images than a batch, so that classes and pairs go through several.
TEST_F(Guidance, ClassesTakeTurnsByTheNumberOfTheImage) {
  const Words words = {"class", "-n", "20", "--label", "all", "--guidance", "2"};
  const std::string all = floats(words);
  for (const int i : {0, 1, 17, 19}) {
    const std::string one = floats({"class", "-n", "1", "--first", std::to_string(i), "--label",
                                    std::to_string(i % 3), "--guidance", "2"});
    EXPECT_EQ(one, all.substr(static_cast<std::size_t>(i) * kImageBytes, kImageBytes)) << i;
  }
}

TEST_F(Guidance, AGridHasARowAClassAndAnNpzItsNumbers) {
  ASSERT_EQ(sample({"class", "-n", "6", "--label", "2,0", "-o", "g.png"}).code, 0);
  const Image grid = read_png(folder_ / "g.png").value();
  EXPECT_EQ(grid.height, 2 * 8 + 3 * 2);
  EXPECT_EQ(grid.width, 3 * 8 + 4 * 2);
  ASSERT_EQ(sample({"class", "-n", "3", "--label", "2,0", "-o", "x.npz"}).code, 0);
  const auto arrays = value_or_throw(parse_npz(read_file(folder_ / "x.npz").value(), "x"));
  EXPECT_EQ(arrays.at("arr_1").at(0), 2);
  EXPECT_EQ(arrays.at("arr_1").at(1), 0);
  EXPECT_EQ(arrays.at("arr_1").at(2), 2);
}

TEST_F(Guidance, APngTellsTheCommandWithItsClass) {
  ASSERT_EQ(sample({"class", "-n", "4", "--label", "all", "--guidance", "3", "-o", "x/"}).code, 0);
  const std::string command = read_png_text(folder_ / "x/000002.png").value().at("ddpm:command");
  EXPECT_THAT(command, HasSubstr("--label 2 --guidance 3 --first 2"));
  const std::string program = std::filesystem::path(DDPM_PROGRAM).parent_path().string();
  ASSERT_EQ(run(folder_.path(), {"sh", "-c", "PATH=" + program + ":$PATH; " + command}).code, 0);
  EXPECT_EQ(read_file(folder_ / "000002.png").value(), read_file(folder_ / "x/000002.png").value());
}

TEST_F(Guidance, ByAWeakModelOfOneIsTheModelAndOfZeroTheWeakOne) {
  const std::string strong = floats({"class", "-n", "3", "--label", "1"});
  const auto guided = [&](const std::string& weight) {
    return floats(
        {"class", "-n", "3", "--label", "1", "--guide-with", "plain", "--guidance", weight});
  };
  EXPECT_EQ(guided("1"), strong);
  EXPECT_EQ(guided("0"), floats({"plain", "-n", "3"}));
  EXPECT_NE(guided("2"), strong);
}

TEST_F(Guidance, ThatCannotBeIsRefused) {
  EXPECT_THAT(refusal({"plain", "--label", "1"}), HasSubstr("a model without classes"));
  EXPECT_THAT(refusal({"class", "--label", "Boot"}), HasSubstr("or a name: Bag, Coat, Ankle boot"));
  EXPECT_THAT(refusal({"class", "--guidance", "2"}), HasSubstr("expected --label or --guide-with"));
  EXPECT_THAT(refusal({"always"}),
              HasSubstr("no --label for always, which was trained with a class"));
  EXPECT_THAT(refusal({"always", "--label", "0", "--guidance", "2"}),
              HasSubstr("got --guidance 2 for always, which was trained with a class"));
  EXPECT_EQ(sample({"always", "--label", "0", "--guidance", "1", "-n", "1"}).code, 0);
  EXPECT_THAT(refusal({"plain", "--guide-with", "class"}), HasSubstr("try --guidance 2"));
  EXPECT_THAT(refusal({"plain", "--guide-with", "always", "--guidance", "2"}),
              HasSubstr("differs"));
  EXPECT_EQ(sample({"class", "--guidance", "x", "--label", "1"}).code, 2);
}

TEST_F(Guidance, UnfinishedSamplesOfAnotherClassAreRefused) {
  const Process process(folder_.path(), ddpm({"sample", "class", "-n", "1000000", "--plan",
                                              "ddpm:20", "--label", "1", "-o", "y.npy"}));
  for (int i = 0; i < 3000 && !std::filesystem::exists(folder_ / "y.npy.part.json"); ++i) {
    usleep(1000);
  }
  process.send(SIGKILL);
  process.wait();
  const Outcome other = run(folder_.path(), ddpm({"sample", "class", "-n", "1000000", "--plan",
                                                  "ddpm:20", "--label", "2", "-o", "y.npy"}));
  EXPECT_EQ(other.code, 2);
  EXPECT_THAT(other.err, HasSubstr("label 1, not 2"));
}

TEST_F(Guidance, InfoNamesTheClasses) {
  const Outcome info = run(folder_.path(), ddpm({"info", "class"}));
  EXPECT_THAT(info.out, HasSubstr("3, and one for images without: 0 Bag, 1 Coat, 2 Ankle boot\n"));
  const Outcome json = run(folder_.path(), ddpm({"info", "class", "--json"}));
  EXPECT_EQ(parse_json(json.out, "info").value().find("class_names")->items.size(), 3U);
}

}  // namespace
}  // namespace ddpm::test
