#include "ddpm/train/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ddpm/base/error.h"
#include "ddpm/diffusion/variance.h"

namespace ddpm {
namespace {

using testing::HasSubstr;

const std::string kData = "[data]\npath = \"images\"\n";  // two lines before what a test adds

std::string mistakes_in(const std::string& text, const std::vector<std::string>& overrides = {}) {
  try {
    parse_config(text, "c.toml", overrides);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::usage);
    return error.what();
  }
  return "";
}

TEST(Config, OnlyTheDataHaveNoDefault) {
  const RunConfig config = parse_config(kData, "c.toml");
  RunConfig expected;
  expected.data.path = "images";
  EXPECT_EQ(config, expected);
  EXPECT_THAT(mistakes_in(""), HasSubstr("c.toml: data.path: missing"));
}

TEST(Config, OutChannelsFollowInChannels) {
  EXPECT_EQ(parse_config(kData + "[net]\nin_channels = 1\n", "c.toml").net.out_channels, 1);
}

TEST(Config, ALearnedVarianceDoublesTheOutputs) {
  const std::string keys =
      "[net]\nin_channels = 1\n[diffusion]\nvariance = \"learned_range\"\nloss = \"hybrid\"\n";
  EXPECT_EQ(parse_config(kData + keys, "c.toml").net.out_channels, 2);
}

TEST(Config, AttentionIsGivenByHeights) {
  const auto attention = [](const std::string& keys) {
    return parse_config(kData + "[net]\nheight = 64\nwidth = 32\n" + keys, "c.toml").net.attention;
  };
  using Flags = std::vector<bool>;
  EXPECT_EQ(attention("attention_resolutions = [32, 8]\n"), (Flags{false, true, false, true}));
  EXPECT_EQ(attention("attention_resolutions = []\n"), (Flags{false, false, false, false}));
  EXPECT_EQ(attention(""), (Flags{false, false, true, false}));  // the paper's 16
}

TEST(Config, OverridesComeAfterTheFile) {
  const RunConfig config =
      parse_config(kData + "[train]\nsteps = 5\n", "c.toml",
                   {"train.steps=7", "train.steps=9", "data.path=a folder/b",
                    "data.eval=\"quoted\"", "net.block_out_channels=[32, 64]", "data.flip=true",
                    "train.ema=0.5", "diffusion.prediction=v"});
  EXPECT_EQ(config.train.steps, 9);
  EXPECT_EQ(config.data.path, "a folder/b");
  EXPECT_EQ(config.data.eval, "quoted");
  EXPECT_EQ(config.net.block_out_channels, (std::vector<int>{32, 64}));
  EXPECT_TRUE(config.data.flip);
  EXPECT_EQ(config.train.ema, 0.5);
  EXPECT_EQ(config.diffusion.prediction, Prediction::v);
}

TEST(Config, TextFromTheCommandLineNeedsNoQuotes) {
  EXPECT_EQ(parse_config("", "c.toml", {"data.path=2024"}).data.path, "2024");
  EXPECT_EQ(parse_config("", "c.toml", {"data.path=a\nx = 1"}).data.path, "a\nx = 1");
}

struct BadConfig {
  const char* name;
  std::string text;
  std::vector<std::string> messages;
};

class BadConfigs : public testing::TestWithParam<BadConfig> {};

TEST_P(BadConfigs, AreReportedWithPlaceValueAndAdvice) {
  const std::string found = mistakes_in(GetParam().text);
  for (const std::string& message : GetParam().messages) EXPECT_THAT(found, HasSubstr(message));
  const auto lines = std::count(found.begin(), found.end(), '\n') + 1;
  EXPECT_EQ(static_cast<std::size_t>(lines), GetParam().messages.size()) << found;
}

INSTANTIATE_TEST_SUITE_P(
    Table, BadConfigs,
    testing::ValuesIn(std::vector<BadConfig>{
        {"syntax", "[data]\npath = \n", {"[config] c.toml:2:8: not TOML: "}},
        {"not_utf8", "[data]\npath = \"\xFF\"\n", {"c.toml:2:8: not TOML: "}},
        {"duplicate_key", kData + "path = \"b\"\n", {"c.toml:3:8: not TOML: "}},
        {"unknown_key",
         kData + "[train]\nstps = 5\n",
         {"c.toml:4:1: train.stps: unknown key; try steps"}},
        {"swapped_letters",
         kData + "[net]\nwidht = 5\n",
         {"c.toml:4:1: net.widht: unknown key; try width"}},
        {"other_table",
         kData + "steps = 5\n",
         {"c.toml:3:1: data.steps: unknown key; it belongs in [train]"}},
        {"far_key",
         kData + "[diffusion]\nguidance = 5\n",
         {"diffusion.guidance: unknown key; known keys: schedule, prediction, variance, loss, "
          "time_sampler, label_dropout"}},
        {"no_table",
         "batch = 5\n" + kData,
         {"c.toml:1:1: batch: unknown key; it belongs in [train]"}},
        {"unknown_table", kData + "[trian]\nsteps = 5\n", {"trian: unknown table; try [train]"}},
        {"far_table",
         kData + "[optimizer]\n",
         {"unknown table; known tables: data, net, classifier, diffusion, train"}},
        {"value_for_table",
         "data = 5\n",
         {"c.toml:1:8: data: got integer, expected a table; try [data]"}},
        {"text_for_number",
         kData + "[train]\nsteps = \"5\"\n",
         {"c.toml:4:9: train.steps: got '5', expected a whole number in 1..4294967295"}},
        {"real_for_integer",
         kData + "[train]\nbatch = 5.5\n",
         {"c.toml:4:9: train.batch: got 5.5, expected a whole"}},
        {"number_for_text",
         "[data]\npath = 5\n",
         {"c.toml:2:8: data.path: got 5, expected text in quotes"}},
        {"number_for_flag",
         kData + "flip = 1\n",
         {"c.toml:3:8: data.flip: got 1, expected true or false"}},
        {"flag_for_real",
         kData + "[train]\nema = true\n",
         {"train.ema: got true, expected a number in [0, 1)"}},
        {"number_for_list",
         kData + "[net]\nblock_out_channels = 32\n",
         {"c.toml:4:22: net.block_out_channels: got 32, expected a list of 1..8 whole numbers"}},
        {"empty_list",
         kData + "[net]\nblock_out_channels = []\n",
         {"expected a list of 1..8 whole numbers"}},
        {"long_list",
         kData + "[net]\nblock_out_channels = [32, 32, 32, 32, 32, 32, 32, 32, 32]\n",
         {"expected a list of 1..8"}},
        {"text_in_list",
         kData + "[net]\nblock_out_channels = [32, \"64\"]\n",
         {"got '64', expected a whole number in 2..8192"}},
        {"table_for_number",
         kData + "[train.steps]\nx = 1\n",
         {"train.steps: got a table, expected a whole"}},
        {"zero_batch",
         kData + "[train]\nbatch = 0\n",
         {"train.batch: got 0, expected a whole number in 1..65536"}},
        {"negative_steps", kData + "[train]\nsteps = -1\n", {"train.steps: got -1"}},
        {"huge_integer",
         kData + "[train]\nwarmup = 9223372036854775807\n",
         {"train.warmup: got 9223372036854775807"}},
        {"negative_seed",
         kData + "[train]\nseed = -1\n",
         {"train.seed: got -1, expected a whole number in 0.."}},
        {"zero_rate",
         kData + "[train]\nlearning_rate = 0.0\n",
         {"got 0.0, expected a number in (0, 1]"}},
        {"nan", kData + "[train]\nlearning_rate = nan\n", {"got nan, expected a number in (0, 1]"}},
        {"infinite", kData + "[train]\nclip = inf\n", {"got inf, expected a number in [0, 1"}},
        {"ema_of_one", kData + "[train]\nema = 1\n", {"got 1, expected a number in [0, 1)"}},
        {"full_dropout",
         kData + "[net]\ndropout = 1.0\n",
         {"net.dropout: got 1.0, expected a number in [0, 1)"}},
        {"five_channels",
         kData + "[net]\nin_channels = 5\n",
         {"net.in_channels: got 5, expected a whole number in 1..4"}},
        {"padding",
         kData + "[net]\ndownsample_padding = 2\n",
         {"net.downsample_padding: got 2, expected a whole number in 0..1"}},
        {"wrong_name",
         kData + "[diffusion]\nprediction = \"epsi\"\n",
         {"c.toml:4:14: diffusion.prediction: got \"epsi\", expected one of eps, x0, v, mu, score; "
          "try \"eps\""}},
        {"unsupported_name",
         kData + "[diffusion]\nvariance = \"optimal\"\n",
         {"got \"optimal\", expected one of fixed_small, fixed_large, learned, learned_range"}},
        {"bad_loss",
         kData + "[diffusion]\nloss = \"hybird\"\n",
         {"c.toml:4:8: diffusion.loss: [loss] "}},
        {"loss_key",
         kData + "[diffusion]\nloss = \"min_snr,gama=5\"\n",
         {"c.toml:4:8: diffusion.loss: [loss] "}},
        {"loss_out_of_range",
         kData + "[diffusion]\nloss = \"min_snr,gamma=-1\"\n",
         {"c.toml:4:8: diffusion.loss: [diffusion] loss: got min_snr,gamma=-1"}},
        {"loss_without_a_bound",
         kData + "[diffusion]\nvariance = \"learned_range\"\n",
         {"c.toml:3:1: diffusion.loss: [diffusion] loss: got simple with variance learned_range, "
          "expected a loss that trains the variance; try hybrid"}},
        {"bound_at_zero_snr",
         kData + "[diffusion]\nschedule = \"linear:1000,zero_snr=yes\"\nloss = \"kl\"\n",
         {"c.toml:5:8: diffusion.loss: "}},
        {"bad_time_sampler",
         kData + "[diffusion]\ntime_sampler = \"uniform:10\"\n",
         {"c.toml:4:16: diffusion.time_sampler: [diffusion] time sampler: got 'uniform:10'"}},
        {"time_sampler_key",
         kData + "[diffusion]\ntime_sampler = \"loss_second_moment,history=0\"\n",
         {"c.toml:4:16: diffusion.time_sampler: "}},
        {"number_for_loss",
         kData + "[diffusion]\nloss = 2\n",
         {"c.toml:4:8: diffusion.loss: got 2, expected text in quotes"}},
        {"out_channels_of_a_learned_variance",
         kData + "[net]\nout_channels = 3\n[diffusion]\nvariance = \"learned\"\nloss = "
                 "\"hybrid\"\n",
         {"c.toml:4:16: net.out_channels: got 3, expected twice in_channels = 6: variance learned "
          "has channels of its own; try leaving it out"}},
        {"bad_schedule",
         kData + "[diffusion]\nschedule = \"linaer:1000\"\n",
         {"c.toml:4:12: diffusion.schedule: "}},
        {"bad_plan",
         kData + "[train]\nsample_plan = \"ddmi:50\"\n",
         {"c.toml:4:15: train.sample_plan: "}},
        {"bad_score_plan",
         kData + "[train]\nscore_plan = \"ddmi:50\"\n",
         {"c.toml:4:14: train.score_plan: "}},
        {"score_without_held_out_images",
         kData + "[train]\nscore_every = 100\n",
         {"c.toml:4:15: train.score_every: got 100 without held-out images to compare samples "
          "with; try eval in [data]"}},
        {"best_without_scores",
         kData + "[train]\nkeep_best = true\n",
         {"c.toml:4:13: train.keep_best: got true without scores to choose by; try score_every"}},
        {"score_of_one",
         kData + "[train]\nscore_count = 1\n",
         {"c.toml:4:15: train.score_count: got 1, expected a whole number in 2..10000000"}},
        {"scores_of_a_classifier",
         kData + "[classifier]\n[train]\nkeep_best = false\nscore_every = 5\n",
         {"train.score_every: a run with [classifier] has no such key",
          "train.keep_best: a run with [classifier] has no such key"}},
        {"plan_beyond_schedule",
         kData + "[diffusion]\nschedule = \"linear:10\"\n",
         {"c.toml: train.sample_plan: "}},
        {"odd_height",
         kData + "[net]\nheight = 30\nattention_resolutions = []\n",
         {"c.toml:4:10: net.height: got 30, expected a multiple of 8, since 4 levels halve it 3 "
          "times; try 24 or 32"}},
        {"tiny_width",
         kData + "[net]\nwidth = 3\n",
         {"c.toml:4:9: net.width: got 3, expected a multiple of 8, since 4 levels halve it 3 "
          "times; try 8"}},
        {"groups",
         kData + "[net]\nblock_out_channels = [32, 48]\n",
         {"c.toml:4:22: net.block_out_channels: got 48, expected multiples of norm_num_groups = "
          "32"}},
        {"odd_first",
         kData + "[net]\nblock_out_channels = [3]\nnorm_num_groups = 1\n",
         {"net.block_out_channels: got 3 first, expected an even number"}},
        {"one_pair",
         kData + "[net]\nblock_out_channels = [2]\nnorm_num_groups = 1\n",
         {"got 2 first, expected above 2 with freq_shift = 1"}},
        {"attention_height",
         kData + "[net]\nattention_resolutions = [14]\n",
         {"c.toml:4:25: net.attention_resolutions: got 14, expected heights of levels: 32, 16, 8, "
          "4"}},
        {"head_dim",
         kData + "[net]\nattention_head_dim = 96\n",
         {"net.attention_head_dim: got 96, expected a divisor of the 256 channels of level 2",
          "net.attention_head_dim: got 96, expected a divisor of the 256 channels of level 4"}},
        {"heads",
         kData + "[net]\nattention_heads = 3\n",
         {"net.attention_heads: got 3, expected a divisor of the 256 channels of level 2",
          "net.attention_heads: got 3, expected a divisor of the 256 channels of level 4"}},
        {"heads_twice",
         kData + "[net]\nattention_heads = 4\nattention_head_dim = 64\n",
         {"attention_heads and attention_head_dim: got 4 and 64, expected one of them"}},
        {"time_embedding",
         kData + "[net]\ntime_embedding_type = \"furier\"\n",
         {"net.time_embedding_type: got \"furier\", expected one of positional, fourier, learned; "
          "try \"fourier\""}},
        {"divide_by_time",
         kData + "[net]\ndivide_by_time = true\n",
         {"divide_by_time: got true with time embedding positional, expected fourier"}},
        {"null_class",
         kData + "[net]\nnull_class = true\n",
         {"null_class: got one without classes"}},
        {"out_channels",
         kData + "[net]\nout_channels = 1\n",
         {"net.out_channels: got 1, expected in_channels = 3"}},
        {"recompute",
         kData + "[train]\nrecompute = \"block\"\n",
         {"c.toml:4:13: train.recompute: got \"block\", expected one of none, blocks; try "
          "\"blocks\""}},
        {"micro_batch",
         kData + "[train]\nbatch = 64\nmicro_batch = 20\n",
         {"c.toml:5:15: train.micro_batch: got 20, expected whole slices of the batch of 64: 16, "
          "32, 48, 64"}},
        {"label_dropout_without_classes",
         kData + "[diffusion]\nlabel_dropout = 0.1\n",
         {"c.toml:4:17: diffusion.label_dropout: got 0.1, expected 0: the network has no class"}},
        {"label_dropout_of_one",
         kData + "[diffusion]\nlabel_dropout = 1.0\n",
         {"diffusion.label_dropout: got 1.0, expected a number in [0, 1)"}},
        {"negative_shift",
         kData + "shift = -1\n",
         {"c.toml:3:9: data.shift: got -1, expected a whole number in 0..4096"}},
        {"classifier_and_net",
         kData + "[classifier]\nnum_classes = 10\n[net]\nheight = 28\n",
         {"c.toml:6:10: net.height: a run with [classifier] has no such key; try leaving it out"}},
        {"samples_of_a_classifier",
         kData + "[classifier]\n[train]\nsample_every = 5\n",
         {"c.toml:5:16: train.sample_every: a run with [classifier] has no such key"}},
        {"times_of_a_clean_classifier",
         kData + "[classifier]\n[diffusion]\nschedule = \"linear:100\"\n",
         {"diffusion.schedule: a run with [classifier] has no such key; try leaving it out, or "
          "noisy "
          "= true for a classifier of x_t"}},
        {"loss_of_a_classifier",
         kData + "[classifier]\nnoisy = true\n[diffusion]\nloss = \"simple\"\n",
         {"diffusion.loss: a run with [classifier] has no such key; try leaving it out"}},
        {"one_class",
         kData + "[classifier]\nnum_classes = 1\n",
         {"c.toml:4:15: classifier.num_classes: got 1, expected a whole number in 2..65536"}},
        {"groups_of_a_classifier",
         kData + "[classifier]\nnorm_num_groups = 5\n",
         {"c.toml:3:1: classifier: [net] classifier: block_out_channels 32 is not divisible by "
          "norm_num_groups 5"}},
        {"times_of_a_noisy_classifier",
         kData + "[classifier]\nnoisy = true\n[diffusion]\nschedule = \"linaer\"\n",
         {"c.toml:6:12: diffusion.schedule: "}},
        {"empty_path", "[data]\npath = \"\"\n", {"c.toml:2:8: data.path: missing"}},
        {"all_at_once",
         "[data]\npaht = \"x\"\n[net]\nheight = 30\nwidth = \"w\"\n[train]\nsteps = 0\nbatch = "
         "3.5\n",
         {"c.toml:1:1: data.path: missing", "c.toml:2:1: data.paht: unknown key; try path",
          "c.toml:4:10: net.height: got 30", "c.toml:5:9: net.width: got 'w'",
          "c.toml:7:9: train.steps: got 0", "c.toml:8:9: train.batch: got 3.5"}},
    }),
    [](const auto& bad) { return bad.param.name; });

TEST(Config, MistakesAreInTheOrderOfTheFile) {
  const std::string found = mistakes_in(
      "[train]\nsteps = 0\nbatch = 0\n[data]\npath = \"x\"\nflip = 3\n", {"train.keep=0"});
  const std::vector<std::size_t> at = {found.find("train.steps"), found.find("train.batch"),
                                       found.find("data.flip"),
                                       found.find("--set train.keep=0: train.keep: got 0")};
  for (std::size_t place : at) EXPECT_NE(place, std::string::npos) << found;
  EXPECT_TRUE(std::is_sorted(at.begin(), at.end())) << found;
}

TEST(Config, MistakesInOverridesNameThem) {
  const auto found = [](const std::string& set) { return mistakes_in(kData, {set}); };
  EXPECT_THAT(found("train.steps"),
              HasSubstr("--set train.steps: --set: expected TABLE.KEY=VALUE"));
  EXPECT_THAT(found("steps=5"), HasSubstr("expected TABLE.KEY=VALUE"));
  EXPECT_THAT(found("trian.steps=5"), HasSubstr("trian: unknown table; try [train]"));
  EXPECT_THAT(found("train.stesp=5"), HasSubstr("train.stesp: unknown key; try steps"));
  EXPECT_THAT(found("train.steps=many"),
              HasSubstr("--set train.steps=many: train.steps: got 'many'"));
  EXPECT_THAT(found("train.steps="), HasSubstr("train.steps: got"));
  EXPECT_THAT(found("data.path=\xFF"), HasSubstr("expected UTF-8"));
  EXPECT_THAT(found("net.height=30"),
              HasSubstr("--set net.height=30: net.height: got 30, expected a multiple of 8"));
}

TEST(Config, ReadingNamesTheFile) {
  try {
    read_config("/nowhere/config.toml");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::bad_input);
    EXPECT_THAT(error.what(), HasSubstr("/nowhere/config.toml"));
  }
}

TEST(Config, ShippedConfigsAreValid) {
  int count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(DDPM_SOURCE_DIR "/configs")) {
    EXPECT_NO_THROW(read_config(entry.path())) << entry.path();
    ++count;
  }
  EXPECT_GE(count, 5);
}

TEST(Config, ATableOfTimesHasTheSchedulesNumber) {
  const std::string text = kData +
                           "[net]\ntime_embedding_type = \"learned\"\n"
                           "[diffusion]\nschedule = \"linear:300\"\n";
  EXPECT_EQ(parse_config(text, "c.toml").net.num_train_timesteps, 300);
}

TEST(Config, TheMiddlesAttentionHasANormUnlessItIsGivenNone) {
  const auto groups = [](const std::string& keys) {
    return parse_config(kData + "[net]\n" + keys, "c.toml").net.attn_norm_num_groups;
  };
  EXPECT_EQ(groups("resnet_time_scale_shift = \"scale_shift\"\n"), 32);
  EXPECT_EQ(groups("resnet_time_scale_shift = \"scale_shift\"\nattn_norm_num_groups = 0\n"), 0);
  EXPECT_EQ(groups(""), 0);
}

}  // namespace
}  // namespace ddpm
