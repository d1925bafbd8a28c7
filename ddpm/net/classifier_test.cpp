#include "ddpm/net/classifier.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <functional>

#include "ddpm/base/error.h"
#include "ddpm/base/temp_folder.h"
#include "ddpm/net/interpreter_for_test.h"

namespace ddpm {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

ClassifierConfig small_config(bool noisy = false) {
  return {.in_channels = 1,
          .height = 7,
          .width = 6,
          .num_classes = 3,
          .block_out_channels = {8, 16},
          .layers_per_block = 2,
          .norm_num_groups = 4,
          .dropout = 0.25,
          .noisy = noisy};
}

Classifier small_classifier(bool noisy = false) {
  Classifier c;
  c.config = small_config(noisy);
  c.params = init_unet(c.graph(ClassifierOutput::logits), 3);
  c.class_names = {"boot", "shirt", "\"bag\""};
  if (noisy) c.schedule = Schedule::cosine(100);
  return c;
}

void write(const fs::path& folder, const std::map<std::string, std::string>& files) {
  for (const auto& [path, bytes] : files) {
    fs::create_directories((folder / path).parent_path());
    std::ofstream(folder / path, std::ios::binary) << bytes;
  }
}

std::string refusal_of_classifier(const fs::path& folder) {
  try {
    load_classifier(folder);
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ExitCode::bad_input);
    return e.what();
  }
  return "";
}

TEST(Classifier, OutputsHaveTheirSizesAndOneSetOfParameters) {
  const Graph logits = classifier(small_config()),
              features = classifier(small_config(), ClassifierOutput::features),
              both = classifier(small_config(), ClassifierOutput::both);
  EXPECT_EQ(logits.shape(logits.output), (Shape{3, 1, 1}));
  EXPECT_EQ(features.shape(features.output), (Shape{16, 1, 1}));
  EXPECT_EQ(both.shape(both.output), (Shape{19, 1, 1}));
  EXPECT_EQ(logits.params(), features.params());
  EXPECT_EQ(logits.params(), both.params());
}

// The features are the means over pixels, and the logits are linear in them.
TEST(Classifier, LogitsAreLinearInTheFeatures) {
  const Graph g = classifier(small_config(), ClassifierOutput::both);
  const Params params = init_unet(g, 1);
  const auto doubles = to_doubles(params);
  Interpreter net(g, doubles);
  Doubles x(42);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = std::sin(0.7 * static_cast<double>(i));
  net.run({x}, 0);
  const Doubles& out = net.value(g.output);
  const auto weight = params.tensor("logits.weight"), bias = params.tensor("logits.bias");
  for (std::size_t k = 0; k < 3; ++k) {
    double expected = bias[k];
    for (std::size_t i = 0; i < 16; ++i) expected += weight[16 * k + i] * out[i];
    EXPECT_NEAR(out[16 + k], expected, 1e-12);
    EXPECT_GT(std::abs(out[16 + k]), 1e-3);
  }
}

TEST(Classifier, OnlyANoisyOneReadsTheTime) {
  for (const bool noisy : {false, true}) {
    const Graph g = classifier(small_config(noisy));
    const auto doubles = to_doubles(init_unet(g, 1));
    Interpreter net(g, doubles);
    const Doubles x(42, 0.5);
    net.run({x}, 3);
    const Doubles early = net.value(g.output);
    net.run({x}, 900);
    EXPECT_EQ(early == net.value(g.output), !noisy);
  }
}

TEST(Classifier, EveryValueThatCannotBeIsNamed) {
  const auto problems_of = [](const std::function<void(ClassifierConfig&)>& change) {
    ClassifierConfig c = small_config(true);
    change(c);
    try {
      check_classifier(c);
    } catch (const Error& e) {
      return std::string(e.what());
    }
    return std::string();
  };
  EXPECT_EQ(problems_of([](auto&) {}), "");
  EXPECT_THAT(problems_of([](auto& c) { c.num_classes = 1; }), HasSubstr("num_classes: got 1"));
  EXPECT_THAT(problems_of([](auto& c) { c.norm_num_groups = 3; }),
              HasSubstr("block_out_channels 8 is not divisible by norm_num_groups 3"));
  EXPECT_THAT(problems_of([](auto& c) { c.block_out_channels.clear(); }),
              HasSubstr("levels of block_out_channels: got 0"));
  EXPECT_THAT(problems_of([](auto& c) { c.block_out_channels = {2}, c.norm_num_groups = 1; }),
              HasSubstr("sines"));
  EXPECT_THAT(problems_of([](auto& c) { c.dropout = 1, c.norm_eps = 0, c.in_channels = 9; }),
              testing::AllOf(HasSubstr("dropout: got 1"), HasSubstr("norm_eps: got 0"),
                             HasSubstr("in_channels: got 9")));
}

TEST(ClassifierFolder, IsReadBackWhole) {
  for (const bool noisy : {false, true}) {
    const TempFolder folder;
    const Classifier c = small_classifier(noisy);
    write(folder.path(), classifier_files(c));
    EXPECT_TRUE(is_classifier(folder.path()));
    const Classifier back = load_classifier(folder.path());
    EXPECT_EQ(back.config, c.config);
    EXPECT_TRUE(std::ranges::equal(back.params.all(), c.params.all()));
    EXPECT_EQ(back.class_names, c.class_names);
    EXPECT_EQ(back.schedule.has_value(), noisy);
    if (noisy) {
      EXPECT_EQ(back.schedule->spec(), c.schedule->spec());
    }
    EXPECT_TRUE(back.warnings.empty());
  }
}

TEST(ClassifierFolder, HalfWeightsAreHalfTheSize) {
  const Classifier c = small_classifier();
  const auto size = [&](WeightType type) {
    return classifier_files(c, type)[kClassifierWeights].size();
  };
  const std::size_t saved = size(WeightType::f32) - size(WeightType::f16);
  EXPECT_GE(saved, 2 * c.params.all().size());
  // The header's offsets have fewer digits: one a number, two numbers a tensor, padded to 8 bytes.
  EXPECT_LE(saved, 2 * c.params.all().size() + 2 * c.params.specs().size() + 8);
}

TEST(ClassifierFolder, BadOnesAreRefusedByName) {
  const auto files = classifier_files(small_classifier());
  const auto with = [&](const std::string& from, const std::string& to) {
    auto changed = files;
    std::string& text = changed["classifier/config.json"];
    const std::size_t at = text.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    text.replace(at, from.size(), to);
    const TempFolder folder;
    write(folder.path(), changed);
    return refusal_of_classifier(folder.path());
  };
  EXPECT_THAT(with("\"format\": 1", "\"format\": 2"), HasSubstr("try a newer ddpm"));
  EXPECT_THAT(with("ddpm.cpp classifier", "UNet2DModel"), HasSubstr("_class_name"));
  EXPECT_THAT(with("\"num_classes\": 3", "\"num_classes\": 4"), HasSubstr("class_names"));
  EXPECT_THAT(with("\"layers_per_block\": 2", "\"layers_per_block\": 1"),
              HasSubstr("blocks.0.1.conv1"));
  EXPECT_THAT(with("\"norm_num_groups\": 4", "\"norm_num_groups\": 5"),
              HasSubstr("norm_num_groups"));
  EXPECT_THAT(with("\"noisy\": false", "\"noisy\": true"), HasSubstr("schedule"));
  EXPECT_THAT(with("\"in_channels\": 1,\n", ""), HasSubstr("in_channels: got 0"));
  const TempFolder empty;
  EXPECT_THAT(refusal_of_classifier(empty.path()), HasSubstr("classifier/config.json"));
}

}  // namespace
}  // namespace ddpm
