// A configuration's text reads back to the same configuration.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <bit>
#include <string>

#include "ddpm/diffusion/variance.h"
#include "ddpm/train/config.h"

namespace ddpm {
namespace {

const std::string kDataTable = "[data]\npath = \"images\"\n";

// Any double with the given range, bit patterns included that need all 17 digits.
double real_in(double low, double high) {
  const double value = std::bit_cast<double>(*rc::gen::arbitrary<std::uint64_t>());
  return value > low && value < high ? value
                                     : low + (high - low) * *rc::gen::inRange(1, 1000) / 1001;
}

void any_net(UNetConfig& net) {
  using enum TimeEmbedding;
  const bool by_count = *rc::gen::arbitrary<bool>();
  if (by_count) std::swap(net.attention_heads, net.attention_head_dim);
  net.resnet_time_scale_shift = *rc::gen::element(TimeShift::add, TimeShift::scale_shift);
  net.attn_norm_num_groups = *rc::gen::element(0, net.norm_num_groups);
  net.add_attention = *rc::gen::arbitrary<bool>();
  net.mid_block_scale_factor = real_in(0, 1e6);
  net.skip_rescale = *rc::gen::arbitrary<bool>();
  net.downsample_type = *rc::gen::element(Resample::conv, Resample::resnet);
  net.upsample_type = *rc::gen::element(Resample::conv, Resample::resnet);
  net.center_input_sample = *rc::gen::arbitrary<bool>();
  net.time_embedding_type = *rc::gen::element(positional, fourier, learned);
  net.divide_by_time = net.time_embedding_type == fourier && *rc::gen::arbitrary<bool>();
  if (net.time_embedding_type == learned) net.num_train_timesteps = 1000;  // the schedule's
  net.time_embedding_dim = *rc::gen::inRange(0, 65536);
  net.num_classes = *rc::gen::inRange(0, 1000);
  net.null_class = net.num_classes > 0 && *rc::gen::arbitrary<bool>();
}

RunConfig any_config() {
  RunConfig c;
  c.data.path = "p" + *rc::gen::container<std::string>(rc::gen::inRange<char>(1, 127));
  c.data.eval = "e" + *rc::gen::container<std::string>(rc::gen::inRange<char>(1, 127));
  c.data.flip = *rc::gen::arbitrary<bool>();
  const int levels = *rc::gen::inRange(1, 6);
  c.net.in_channels = c.net.out_channels = *rc::gen::inRange(1, 5);
  c.net.height = *rc::gen::inRange(1, 20) << (levels - 1);
  c.net.width = *rc::gen::inRange(1, 20) << (levels - 1);
  c.net.norm_num_groups = *rc::gen::inRange(1, 9);
  c.net.block_out_channels.clear();
  c.net.attention.clear();
  for (int i = 0; i < levels; ++i) {
    c.net.block_out_channels.push_back(c.net.norm_num_groups * 4 * *rc::gen::inRange(1, 20));
    c.net.attention.push_back(*rc::gen::arbitrary<bool>());
  }
  c.net.norm_eps = real_in(0, 1);
  c.net.dropout = real_in(0, 1);
  c.net.attention_head_dim = *rc::gen::element(0, 1, 2, 4);
  c.net.flip_sin_to_cos = *rc::gen::arbitrary<bool>();
  c.net.freq_shift = real_in(0, 1);
  any_net(c.net);
  c.diffusion.prediction = *rc::gen::element(Prediction::eps, Prediction::v, Prediction::score);
  c.diffusion.variance = *rc::gen::element(Variance::fixed_small, Variance::fixed_large,
                                           Variance::learned, Variance::learned_range);
  if (is_learned(c.diffusion.variance)) c.net.out_channels *= 2;
  c.diffusion.loss = *rc::gen::element<std::string>("hybrid", "rescaled_kl,decoder=tanh");
  c.diffusion.time_sampler = *rc::gen::element<std::string>("antithetic", "log_normal,std=2");
  c.train.steps = *rc::gen::inRange<std::int64_t>(1, 4294967296);
  c.train.batch = *rc::gen::inRange(1, 1000);
  c.train.recompute = *rc::gen::element(cpu::Recompute::none, cpu::Recompute::blocks);
  c.train.learning_rate = real_in(0, 1);
  c.train.decay = *rc::gen::inRange<std::int64_t>(0, 4294967296);
  c.train.ema = real_in(0, 1);
  c.train.clip = real_in(0, 1e9);
  c.train.score_every = *rc::gen::inRange<std::int64_t>(0, 4294967296);
  c.train.score_features = *rc::gen::element<std::string>("inception", "runs/a b");
  c.train.score_count = *rc::gen::inRange<std::int64_t>(2, 10'000'001);
  c.train.score_plan = *rc::gen::element<std::string>("", "ddim:5,eta=0.5");
  c.train.keep_best = c.train.score_every > 0 && *rc::gen::arbitrary<bool>();
  c.train.init_from = *rc::gen::element<std::string>("", "runs/a b");
  c.train.seed = *rc::gen::arbitrary<std::uint64_t>() >> 1;
  return c;
}

TEST(Config, AClassifiersTextReadsBackAndLeavesOutWhatItHasNot) {
  for (const bool noisy : {false, true}) {
    RunConfig config;
    config.data = {.path = "images", .eval = "", .flip = true, .shift = 3};
    config.classifier = ClassifierConfig{.in_channels = 1,
                                         .num_classes = 7,
                                         .block_out_channels = {16, 24},
                                         .dropout = 0.25,
                                         .noisy = noisy};
    if (noisy) config.diffusion.schedule = "cosine:200";
    const std::string text = config_text(config);
    EXPECT_EQ(parse_config(text, "c.toml"), config);
    EXPECT_EQ(text.find("[net]"), std::string::npos);
    for (const char* key : {"sample_", "score_", "keep_best"}) {
      EXPECT_EQ(text.find(key), std::string::npos);
    }
    EXPECT_EQ(text.find("[diffusion]") != std::string::npos, noisy);
  }
  EXPECT_EQ(parse_config(kDataTable, "c.toml", {"classifier.width=8"}).classifier->width, 8);
}

RC_GTEST_PROP(Config, TextReadsBackToTheSameConfig, ()) {
  const RunConfig config = any_config();
  RC_ASSERT(parse_config(config_text(config), "c.toml") == config);
}

}  // namespace
}  // namespace ddpm
