// Classifiers on the command line: guidance by one of noisy images, and what is said of a folder.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ddpm/data/npy.h"
#include "ddpm/engine/cpu/cpu.h"
#include "ddpm/engine/guided.h"
#include "ddpm/engine/runner.h"
#include "ddpm/image/png.h"
#include "ddpm/net/strict_json.h"
#include "tests/cli_fixture.h"
#include "tests/tiny_models.h"

namespace ddpm::test {
namespace {

using testing::HasSubstr;

class ClassifierOnCommandLine : public Cli {
 protected:
  void SetUp() override {
    write_files(folder_, "class", model_files(tiny_model({.classes = 3, .null_class = true})));
    write_files(folder_, "plain", model_files(tiny_model({.seed = 2})));
    write("noisy", {});
    write("named", {.names = kThreeNames});
    write("clean", {.noisy = false});
  }

  void write(const std::string& name, const TinyClassifier& what) const {
    write_files(folder_, name, classifier_files(tiny_classifier(what)));
  }

  Outcome sample(const Words& more) const {
    Words words = {"sample", "--plan", "ddim:3", "--threads", "1"};
    words.insert(words.end(), more.begin(), more.end());
    return ddpm(words);
  }

  std::string floats(const Words& more) const {
    Words words = more;
    words.insert(words.end(), {"-o", "x.npy"});
    const Outcome outcome = sample(words);
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    return parse_npy(bytes("x.npy"), "x").value().bytes;
  }

  std::string refusal(const Words& more) const {
    const Outcome outcome = sample(more);
    EXPECT_EQ(outcome.code, 2) << outcome.err;
    return outcome.err;
  }

  // Images 0, 1, 2 of seed 0, each of its own class, by the library.
  std::string by_library(const std::string& model_name, double scale) const {
    ThreadPool pool(1);
    const Model model = load_model(folder_ / model_name);
    const Classifier c = load_classifier(folder_ / "noisy");
    const auto network = cpu::make_denoiser(model.graph, model.params, 3, pool);
    const auto untold = make_guided(*network, 0);
    const auto gradient =
        cpu::make_vector_jacobian(c.graph(ClassifierOutput::logits), c.params, 3, pool);
    const auto guided =
        make_classifier_guided(model.config.conditional() ? *network : *untold, *gradient,
                               model.schedule, model.view.prediction, scale);
    std::vector<float> x(3 * 64);
    start_noise(0, 0, guided->shape(), x);
    const Plan plan = parse_plan("ddim:3", model.schedule, model.view);
    run_plan(plan, *guided, x, philox_noise(0, 0), {}, std::vector<int>{0, 1, 2});
    return {reinterpret_cast<const char*>(x.data()), x.size() * sizeof(float)};
  }
};

constexpr std::size_t kImage = 64 * sizeof(float);

TEST_F(ClassifierOnCommandLine, GuidesAnyModelAsTheLibraryDoes) {
  for (const char* model : {"plain", "class"}) {
    const std::string drawn = floats(
        {model, "-n", "3", "--label", "all", "--classifier", "noisy", "--classifier-scale", "2.5"});
    EXPECT_EQ(drawn, by_library(model, 2.5)) << model;
    EXPECT_NE(drawn, by_library(model, 0)) << model;
  }
}

TEST_F(ClassifierOnCommandLine, OfScaleZeroIsTheModelAlone) {
  const Words off = {"--classifier", "noisy", "--classifier-scale", "0"};
  const auto with = [&](Words words) {
    words.insert(words.end(), off.begin(), off.end());
    return floats(words);
  };
  EXPECT_EQ(with({"plain", "-n", "3", "--label", "1"}), floats({"plain", "-n", "3"}));
  EXPECT_EQ(with({"class", "-n", "3", "--label", "1"}),
            floats({"class", "-n", "3", "--label", "1"}));
  EXPECT_EQ(with({"class", "-n", "3", "--label", "1", "--guidance", "0"}),
            floats({"class", "-n", "3"}));
  write_files(folder_, "weak", model_files(tiny_model({.seed = 5})));
  EXPECT_EQ(with({"plain", "-n", "2", "--label", "1", "--guide-with", "weak", "--guidance", "2"}),
            floats({"plain", "-n", "2", "--guide-with", "weak", "--guidance", "2"}));
}

// The gradient adds to whatever the network's output is: both guidances at once, in one batch.
TEST_F(ClassifierOnCommandLine, GoesTogetherWithGuidanceWithoutAClassifier) {
  const Words both = {"class",        "-n",    "2",          "--label", "2",
                      "--classifier", "noisy", "--guidance", "3"};
  const std::string with = floats(both);
  EXPECT_NE(with, floats({"class", "-n", "2", "--label", "2", "--guidance", "3"}));
  EXPECT_NE(with, floats({"class", "-n", "2", "--label", "2", "--classifier", "noisy"}));
}

TEST_F(ClassifierOnCommandLine, AnImageDependsOnItsNumberAlone) {
  const Words how = {"--classifier", "named", "--classifier-scale", "-2"};
  const auto draw = [&](Words words) {
    words.insert(words.end(), how.begin(), how.end());
    return floats(words);
  };
  const std::string all = draw({"plain", "-n", "20", "--label", "all"});
  for (const int i : {0, 1, 17, 19}) {
    const std::string one = draw({"plain", "-n", "1", "--first", std::to_string(i), "--label",
                                  kThreeNames[static_cast<std::size_t>(i % 3)]});
    EXPECT_EQ(one, all.substr(static_cast<std::size_t>(i) * kImage, kImage)) << i;
  }
}

TEST_F(ClassifierOnCommandLine, APngTellsTheWholeCommand) {
  ASSERT_EQ(
      sample({"plain", "-n", "4", "--label", "all", "--classifier", "noisy", "-o", "x/"}).code, 0);
  const std::string command = read_png_text(folder_ / "x/000002.png").value().at("ddpm:command");
  EXPECT_THAT(command, HasSubstr("--label 2 --classifier noisy --classifier-scale 1 --first 2"));
  const std::string program = std::filesystem::path(DDPM_PROGRAM).parent_path().string();
  ASSERT_EQ(run(folder_.path(), {"sh", "-c", "PATH=" + program + ":$PATH; " + command}).code, 0);
  EXPECT_EQ(bytes("000002.png"), bytes("x/000002.png"));
}

TEST_F(ClassifierOnCommandLine, ThatCannotGuideIsRefused) {
  write("large", {.side = 16});
  write("four", {.classes = 4});
  write("cosine", {.schedule = Schedule::cosine(20)});
  write("shorter", {.schedule = Schedule::linear(19, 0.01, 0.2)});
  write("others", {.names = {"Coat", "Bag", "Ankle boot"}});
  const auto by = [&](const std::string& model, const std::string& classifier) {
    return refusal({model, "--label", "0", "--classifier", classifier});
  };
  EXPECT_THAT(by("plain", "clean"), HasSubstr("clean, which was trained on clean images"));
  EXPECT_THAT(by("plain", "large"), HasSubstr("of images of 1 x 16 x 16"));
  EXPECT_THAT(by("class", "four"), HasSubstr("of 4 classes, expected those of class, 3"));
  EXPECT_THAT(by("plain", "cosine"), HasSubstr("noise schedule cosine:20"));
  EXPECT_THAT(by("plain", "shorter"), HasSubstr("noise schedule linear:19"));
  EXPECT_THAT(by("class", "others"), HasSubstr("other names than those of class"));
  EXPECT_EQ(sample({"plain", "--label", "3", "--classifier", "four", "-n", "1"}).code, 0);
  const Outcome none = sample({"plain", "--label", "0", "--classifier", "class"});
  EXPECT_EQ(none.code, 3);
  EXPECT_THAT(none.err, HasSubstr("has no classifier/config.json"));
}

TEST_F(ClassifierOnCommandLine, OptionsThatMakeNoSenseAreRefused) {
  EXPECT_THAT(refusal({"plain", "--classifier", "noisy"}), HasSubstr("try --label all"));
  EXPECT_THAT(refusal({"class", "--classifier", "noisy"}), HasSubstr("try --label all"));
  EXPECT_THAT(refusal({"plain", "--label", "0", "--classifier-scale", "2"}),
              HasSubstr("--classifier-scale requires --classifier"));
  EXPECT_THAT(refusal({"plain", "--label", "0", "--classifier", "noisy", "--guidance", "2"}),
              HasSubstr("got --guidance 2 for plain, a model without classes"));
  EXPECT_THAT(refusal({"plain", "--label", "3", "--classifier", "noisy"}),
              HasSubstr("got '3', expected all, 0..2"));
  for (const char* scale : {"nan", "1001", "x", ""}) {
    EXPECT_THAT(
        refusal({"plain", "--label", "0", "--classifier", "noisy", "--classifier-scale", scale}),
        HasSubstr("--classifier-scale"))
        << scale;
  }
}

TEST_F(ClassifierOnCommandLine, UnfinishedSamplesOfAnotherClassifierOrScaleAreRefused) {
  write("other", {.seed = 4});
  const auto words = [](const std::string& classifier, const std::string& scale) {
    return Words{"sample",
                 "plain",
                 "-n",
                 "1000000",
                 "--plan",
                 "ddpm:20",
                 "--label",
                 "1",
                 "-o",
                 "y.npy",
                 "--classifier",
                 classifier,
                 "--classifier-scale",
                 scale};
  };
  const Process process(folder_.path(), test::ddpm(words("noisy", "2")));
  for (int i = 0; i < 3000 && !std::filesystem::exists(folder_ / "y.npy.part.json"); ++i) {
    usleep(1000);
  }
  process.send(SIGKILL);
  process.wait();
  const Outcome scale = ddpm(words("noisy", "3")), classifier = ddpm(words("other", "2"));
  EXPECT_EQ(scale.code, 2);
  EXPECT_THAT(scale.err, HasSubstr("classifier-scale 2, not 3"));
  EXPECT_EQ(classifier.code, 2);
  EXPECT_THAT(classifier.err, HasSubstr("samples with classifier "));
}

TEST_F(ClassifierOnCommandLine, InfoSaysWhatItIs) {
  const Outcome named = ddpm({"info", "named"}), clean = ddpm({"info", "clean"});
  EXPECT_THAT(named.out, HasSubstr("classifier  named\nimages      8 x 8, 1 channel\n"));
  EXPECT_THAT(named.out, HasSubstr("classes     3: 0 Bag, 1 Coat, 2 Ankle boot\n"));
  EXPECT_THAT(named.out, HasSubstr("noisy images x_t of linear:20"));
  EXPECT_THAT(clean.out, HasSubstr("clean images"));
  const Json json = value_or_throw(parse_json(ddpm({"info", "clean", "--json"}).out, "info"));
  EXPECT_EQ(json.find("kind")->text, "classifier");
  EXPECT_EQ(json.find("features")->integer(), 8);
  EXPECT_EQ(json.find("classes")->integer(), 3);
  EXPECT_EQ(json.find("weights")->text.size(), 16U);
  EXPECT_TRUE(json.find("schedule")->is(Json::Kind::null));
}

TEST_F(ClassifierOnCommandLine, NoCommandTakesItForADiffusionModel) {
  folder_.write("images-idx3-ubyte", idx_images(4, 8));
  write_png(folder_ / "a.png", blank_image(8, 8, 1));
  folder_.write("run/latest", "step-1");
  write("run/checkpoints/step-1", {});
  for (const Words& words : std::vector<Words>{{"sample", "noisy"},
                                               {"sample", "run"},
                                               {"plan", "noisy"},
                                               {"predict", "noisy", "in.safetensors", "o"},
                                               {"forward", "noisy", "a.png"},
                                               {"nll", "noisy", "images-idx3-ubyte"},
                                               {"progressive", "noisy"},
                                               {"convert", "noisy", "other"},
                                               {"compress", "noisy", "a.png", "-o", "a.ddpc"},
                                               {"rd", "noisy", "images-idx3-ubyte"},
                                               {"bench", "noisy"}}) {
    const Outcome outcome = ddpm(words);
    EXPECT_EQ(outcome.code, 3) << words[0];
    EXPECT_THAT(outcome.err, HasSubstr("which holds a classifier, expected a diffusion model"))
        << words[0];
  }
}

}  // namespace
}  // namespace ddpm::test
