// unet/config.json: defaults, refusals, and what is written.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "ddpm/net/json_for_test.h"
#include "ddpm/net/json_writer.h"
#include "ddpm/net/model_parts.h"

namespace ddpm {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

struct Read {
  UNetConfig config;
  Warnings warnings;
};

Read read(const Json& json, const Extras& extras = {}) {
  Read result;
  result.config = read_unet_config(json, "config.json", extras, result.warnings);
  return result;
}

// The paper's config, or another, with one key replaced.
Json with(const std::string& key, const std::string& value, Json json = unet_config_json({})) {
  const auto at = std::ranges::find(json.keys, key);
  if (at == json.keys.end()) {
    json.keys.push_back(key);
    json.items.push_back(parsed(value));
  } else {
    json.items[at - json.keys.begin()] = parsed(value);
  }
  return json;
}

std::string refusal(const Json& json) {
  try {
    read(json);
    return "accepted";
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ExitCode::bad_input);
    return e.what();
  }
}

TEST(ModelConfig, MissingKeysMeanTheClassDefaultsOfDiffusers) {
  const Read r = read(parsed(R"({"sample_size": 32})"));
  const UNetConfig expected = {.in_channels = 3,
                               .out_channels = 3,
                               .height = 32,
                               .width = 32,
                               .block_out_channels = {224, 448, 672, 896},
                               .attention = {false, true, true, true},
                               .layers_per_block = 2,
                               .norm_num_groups = 32,
                               .norm_eps = 1e-5,
                               .dropout = 0,
                               .attention_head_dim = 8,
                               .flip_sin_to_cos = true,
                               .freq_shift = 0,
                               .downsample_padding = 1};
  EXPECT_EQ(r.config, expected);
  EXPECT_THAT(r.warnings, IsEmpty());
}

TEST(ModelConfig, EveryKeyIsReadFromItsOwnName) {
  const UNetConfig written = {.in_channels = 1,
                              .out_channels = 1,
                              .height = 24,
                              .width = 40,
                              .block_out_channels = {16, 24, 32},
                              .attention = {true, false, true},
                              .layers_per_block = 3,
                              .norm_num_groups = 4,
                              .norm_eps = 0.25,
                              .dropout = 0.375,
                              .attention_head_dim = 4,
                              .flip_sin_to_cos = true,
                              .freq_shift = 0.5,
                              .downsample_padding = 1};
  const Read r = read(parsed(write_json(unet_config_json(written))));
  EXPECT_EQ(r.config, written);
  EXPECT_THAT(r.warnings, IsEmpty());
}

// What config.json cannot say goes by ddpm.json.
Extras extras_of(const UNetConfig& c) {
  Extras extras;
  if (c.null_class) extras.null_class = c.num_classes;
  extras.attention_heads = c.attention_heads;
  extras.skip_rescale = c.skip_rescale;
  extras.divide_by_time = c.divide_by_time;
  return extras;
}

void draw_embeddings(UNetConfig& c) {
  using enum TimeEmbedding;
  c.time_embedding_type = *rc::gen::element(positional, fourier, learned);
  c.time_embedding_dim = *rc::gen::element(0, 20);
  c.divide_by_time = c.time_embedding_type == fourier && *rc::gen::arbitrary<bool>();
  if (c.time_embedding_type == learned) c.num_train_timesteps = *rc::gen::inRange(1, 2000);
  if (c.time_embedding_type != learned) c.class_timestep = *rc::gen::arbitrary<bool>();
  if (c.class_timestep) return;
  c.num_classes = *rc::gen::inRange(0, 20);
  c.null_class = c.num_classes > 0 && *rc::gen::arbitrary<bool>();
}

void draw_blocks(UNetConfig& c) {
  const auto flags = [&] {
    return *rc::gen::container<std::vector<bool>>(c.attention.size(), rc::gen::arbitrary<bool>());
  };
  c.resnet_time_scale_shift = *rc::gen::element(TimeShift::add, TimeShift::scale_shift);
  c.downsample_type = *rc::gen::element(Resample::conv, Resample::resnet);
  c.upsample_type = *rc::gen::element(Resample::conv, Resample::resnet);
  c.up_attention = flags();
  if (c.up_attention == c.attention) c.up_attention.clear();
  c.mid_block = *rc::gen::arbitrary<bool>();
  c.add_attention = *rc::gen::arbitrary<bool>();
  c.attn_norm_num_groups = *rc::gen::element(0, 4);
  c.mid_block_scale_factor = *rc::gen::element(1.0, 2.0, 4.0 / 3);
  c.skip_rescale = *rc::gen::arbitrary<bool>();
  c.center_input_sample = *rc::gen::arbitrary<bool>();
  if (*rc::gen::arbitrary<bool>()) {
    c.attention_head_dim = 0;
    c.attention_heads = 4;
  }
}

RC_GTEST_PROP(ModelConfig, ReadsBackWhatItWrites, ()) {
  UNetConfig c;
  const int levels = *rc::gen::inRange(1, 5);
  c.height = *rc::gen::inRange(1, 5) << (levels - 1);
  c.width = *rc::gen::inRange(1, 5) << (levels - 1);
  c.in_channels = *rc::gen::inRange(1, 5);
  c.out_channels = c.in_channels * *rc::gen::inRange(1, 3);
  c.block_out_channels = *rc::gen::container<std::vector<int>>(levels, rc::gen::element(8, 16, 24));
  c.attention = *rc::gen::container<std::vector<bool>>(levels, rc::gen::arbitrary<bool>());
  c.layers_per_block = *rc::gen::inRange(1, 5);
  c.norm_num_groups = *rc::gen::element(1, 2, 8);
  c.norm_eps = *rc::gen::element(1e-6, 1e-5, 1.0 / 3);
  c.dropout = *rc::gen::element(0.0, 0.1, 2.0 / 3);
  c.attention_head_dim = *rc::gen::element(0, 4, 8);
  c.flip_sin_to_cos = *rc::gen::arbitrary<bool>();
  c.freq_shift = *rc::gen::element(0.0, 1.0, 0.5);
  c.downsample_padding = *rc::gen::inRange(0, 2);
  draw_embeddings(c);
  draw_blocks(c);
  RC_ASSERT(read(parsed(write_json(unet_config_json(c))), extras_of(c)).config == c);
}

struct ConfigCase {
  std::string key, value, expected;
};

// A value that makes another network, or none, is refused with its key, what was got and what is
// supported.
TEST(ModelConfig, ValuesThatAreNotSupportedAreRefusedByName) {
  const ConfigCase table[] = {
      {"_class_name", "\"UNet2DConditionModel\"", "UNet2DModel"},
      {"center_input_sample", "1", "true or false"},
      {"time_embedding_type", "\"gaussian\"", "positional or fourier or learned"},
      {"time_embedding_type", "null", "a string"},
      {"time_embedding_dim", "-4", "null or a positive number"},
      {"mid_block_type", "\"UNetMidBlock2DCrossAttn\"", "UNetMidBlock2D"},
      {"mid_block_scale_factor", "\"1\"", "a number"},
      {"downsample_type", "\"fir\"", "conv or resnet"},
      {"upsample_type", "\"fir\"", "conv or resnet"},
      {"act_fn", "\"gelu\"", "silu"},
      {"resnet_time_scale_shift", "\"spatial\"", "default or scale_shift"},
      {"add_attention", "null", "true or false"},
      {"attn_norm_num_groups", "0", "null or a positive number"},
      {"norm_num_groups", "null", "an integer"},
      {"class_embed_type", "\"identity\"", "null or timestep"},
      {"num_class_embeds", "0", "null or a positive number"},
      {"attention_head_dim", "0", "null or a positive number"},
      {"attention_head_dim", "-8", "null or a positive number"},
      {"down_block_types", R"(["DownBlock2D"])", "as many as block_out_channels, 4"},
      {"down_block_types", R"(["DownBlock2D","SkipDownBlock2D","DownBlock2D","DownBlock2D"])",
       "AttnDownBlock2D"},
      {"up_block_types", R"(["UpBlock2D","UpBlock2D","AttnUpBlock2D"])",
       "as many as block_out_channels, 4"},
      {"up_block_types", "\"UpBlock2D\"", "a list of strings"},
      {"block_out_channels", "[128, \"256\"]", "a list of integers"},
      {"sample_size", "null", "[height, width]"},
      {"sample_size", "[32]", "[height, width]"},
      {"sample_size", "[32, 32, 32]", "[height, width]"},
      {"sample_size", "\"32\"", "an integer"},
      {"sample_size", "32.5", "an integer"},
      {"layers_per_block", "4294967297", "an integer"},
      {"flip_sin_to_cos", "1", "true or false"},
      {"norm_eps", "\"1e-6\"", "a number"},
      {"dropout", "1e999", "a number"},
  };
  for (const auto& [key, value, expected] : table) {
    EXPECT_THAT(refusal(with(key, value)),
                AllOf(HasSubstr("config.json"), HasSubstr(key + ": got"), HasSubstr(expected)))
        << key << " " << value;
  }
}

// These are check_unet's to name; here they must only come out as bad input, whatever the numbers.
TEST(ModelConfig, ImpossibleNetworksAreBadInput) {
  const ConfigCase table[] = {{"in_channels", "4", ""},
                              {"freq_shift", "64", ""},
                              {"out_channels", "9", ""},
                              {"attn_norm_num_groups", "3", ""},
                              {"mid_block_scale_factor", "0", ""},
                              {"num_class_embeds", "2147483647", ""},
                              {"time_embedding_dim", "2147483647", ""},
                              {"sample_size", "30", ""},
                              {"sample_size", "-32", ""},
                              {"norm_num_groups", "24", ""},
                              {"norm_num_groups", "0", ""},
                              {"layers_per_block", "0", ""},
                              {"downsample_padding", "2", ""},
                              {"dropout", "1", ""},
                              {"norm_eps", "0", ""},
                              {"attention_head_dim", "300", ""},
                              {"layers_per_block", "2147483647", ""},
                              {"sample_size", "2147483640", ""},
                              {"block_out_channels", "[2147483647,256,256,256]", ""},
                              {"block_out_channels", "[-128,256,256,256]", ""},
                              {"block_out_channels", "[]", ""}};
  for (const auto& [key, value, expected] : table) {
    EXPECT_THAT(refusal(with(key, value)), HasSubstr("config.json: ")) << key << " " << value;
  }
}

TEST(ModelConfig, AttentionThatNoMachineHoldsIsRefused) {
  const Json json = with("sample_size", "4096", with("attention_head_dim", "1"));
  EXPECT_THAT(refusal(json), HasSubstr("attention at level 1"));
}

TEST(ModelConfig, AllProblemsComeInOneMessage) {
  EXPECT_THAT(refusal(parsed(R"({"act_fn": "relu", "sample_size": "x", "num_class_embeds": -3})")),
              AllOf(HasSubstr("act_fn"), HasSubstr("sample_size"), HasSubstr("num_class_embeds")));
}

TEST(ModelConfig, OtherSpellingsOfTheSameNetworkAreAccepted) {
  const UNetConfig paper = {};
  const ConfigCase table[] = {
      {"act_fn", "\"swish\"", ""},       {"attn_norm_num_groups", "32", ""},
      {"time_embedding_dim", "512", ""}, {"mid_block_scale_factor", "1.0", ""},
      {"freq_shift", "1.0", ""},         {"num_train_timesteps", "1000", ""},
      {"sample_size", "[32, 32]", ""}};
  for (const auto& [key, value, expected] : table)
    EXPECT_EQ(read(with(key, value)).config, paper) << key;
}

TEST(ModelConfig, LearnedTimesNeedTheirNumber) {
  const Json learned = with("time_embedding_type", "\"learned\"");
  EXPECT_THAT(refusal(learned), HasSubstr("num_train_timesteps: got null"));
  EXPECT_EQ(read(with("num_train_timesteps", "20", learned)).config.num_train_timesteps, 20);
}

// The class that stands for none is the last row of the table.
TEST(ModelConfig, TheNullClassIsCountedByNumClassEmbeds) {
  Extras extras;
  extras.null_class = 10;
  const Read r = read(with("num_class_embeds", "11"), extras);
  EXPECT_EQ(r.config.num_classes, 10);
  EXPECT_TRUE(r.config.null_class);
  EXPECT_EQ(read(with("num_class_embeds", "11")).config.num_classes, 11);
  extras.null_class = 3;
  EXPECT_THROW(read(with("num_class_embeds", "11"), extras), Error);
  EXPECT_THROW(read(unet_config_json({}), extras), Error);
}

TEST(ModelConfig, AttentionOnTheWayUpNeedNotMirrorTheWayDown) {
  const Read r =
      read(with("up_block_types", R"(["AttnUpBlock2D","UpBlock2D","UpBlock2D","UpBlock2D"])"));
  EXPECT_THAT(r.config.attention, ElementsAre(false, true, false, false));
  EXPECT_THAT(r.config.up_attention, ElementsAre(false, false, false, true));
}

TEST(ModelConfig, UnknownKeysWarnExceptPrivateOnes) {
  const Read r = read(with("droput", "0.5"));
  EXPECT_THAT(r.warnings,
              ElementsAre(AllOf(HasSubstr("\"droput\""), HasSubstr("did you mean dropout?"))));
  EXPECT_THAT(read(with("_name_or_path", "\"x\"")).warnings, IsEmpty());
}

TEST(ModelConfig, ExtrasGiveTheSizeThatTheConfigLeavesOpen) {
  Extras extras;
  extras.height = 16;
  extras.width = 24;
  const Read r = read(with("sample_size", "null"), extras);
  EXPECT_EQ(r.config.height, 16);
  EXPECT_EQ(r.config.width, 24);
}

TEST(ModelConfig, OneHeadIsWrittenAsNullForAMissingKeyMeansEight) {
  EXPECT_THAT(write_json(unet_config_json({})), HasSubstr("\"attention_head_dim\": null,"));
}

TEST(ModelConfig, ConfigsThatAreNoObjectsAreRefused) {
  EXPECT_THAT(refusal(parsed("[1]")), HasSubstr("got a list of 1, expected an object"));
}

}  // namespace
}  // namespace ddpm
