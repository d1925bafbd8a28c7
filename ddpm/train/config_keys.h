// Every key of CONFIG.toml, once. The reader and the writer both walk this list, so they can't
// disagree.
#pragma once

#include <limits>
#include <string_view>
#include <vector>

#include "ddpm/train/config.h"

namespace ddpm::config {

/// A RunConfig in the words of the file, which names the levels with attention by their heights.
struct Keys {
  RunConfig run;
  std::vector<int> attention_resolutions;
  ClassifierConfig classifier;  // run.classifier's, or defaults
};

/// Whether the key means something in this run: a classifier has no [net] and draws no samples, and
/// only a noisy one has times.
bool applies(const RunConfig& run, std::string_view table, std::string_view key);

struct Integers {  // both ends included
  std::int64_t low, high;
};

struct Reals {  // `open`: the end itself is out
  double low, high;
  bool low_open = false, high_open = false;
};

template <class Visitor>
void visit_data(DataConfig& data, Visitor&& visit) {
  visit("data", "path", data.path);
  visit("data", "eval", data.eval);
  visit("data", "flip", data.flip);
  visit("data", "shift", data.shift, Integers{0, 4096});
}

template <class Visitor>
void visit_net(Keys& keys, Visitor&& visit) {
  UNetConfig& net = keys.run.net;
  visit("net", "in_channels", net.in_channels, Integers{1, 4});
  visit("net", "out_channels", net.out_channels, Integers{1, 8});
  visit("net", "height", net.height, Integers{1, 4096});
  visit("net", "width", net.width, Integers{1, 4096});
  visit("net", "block_out_channels", net.block_out_channels, Integers{2, 8192});
  visit("net", "attention_resolutions", keys.attention_resolutions, Integers{1, 4096});
  visit("net", "layers_per_block", net.layers_per_block, Integers{1, 64});
  visit("net", "norm_num_groups", net.norm_num_groups, Integers{1, 8192});
  visit("net", "norm_eps", net.norm_eps, Reals{0, 1, true, true});
  visit("net", "dropout", net.dropout, Reals{0, 1, false, true});
  visit("net", "attention_head_dim", net.attention_head_dim, Integers{0, 8192});
  visit("net", "flip_sin_to_cos", net.flip_sin_to_cos);
  visit("net", "freq_shift", net.freq_shift, Reals{0, 1});
  visit("net", "downsample_padding", net.downsample_padding, Integers{0, 1});
  visit("net", "resnet_time_scale_shift", net.resnet_time_scale_shift);
  visit("net", "attention_heads", net.attention_heads, Integers{0, 8192});
  visit("net", "add_attention", net.add_attention);
  visit("net", "attn_norm_num_groups", net.attn_norm_num_groups, Integers{0, 8192});
  visit("net", "mid_block_scale_factor", net.mid_block_scale_factor, Reals{0, 1e6, true, false});
  visit("net", "skip_rescale", net.skip_rescale);
  visit("net", "downsample_type", net.downsample_type);
  visit("net", "upsample_type", net.upsample_type);
  visit("net", "center_input_sample", net.center_input_sample);
  visit("net", "time_embedding_type", net.time_embedding_type);
  visit("net", "time_embedding_dim", net.time_embedding_dim, Integers{0, 65536});
  visit("net", "divide_by_time", net.divide_by_time);
  visit("net", "num_classes", net.num_classes, Integers{0, 1'000'000});
  visit("net", "null_class", net.null_class);
}

template <class Visitor>
void visit_classifier(ClassifierConfig& classifier, Visitor&& visit) {
  visit("classifier", "in_channels", classifier.in_channels, Integers{1, 4});
  visit("classifier", "height", classifier.height, Integers{1, 4096});
  visit("classifier", "width", classifier.width, Integers{1, 4096});
  visit("classifier", "num_classes", classifier.num_classes, Integers{2, 65536});
  visit("classifier", "block_out_channels", classifier.block_out_channels, Integers{1, 8192});
  visit("classifier", "layers_per_block", classifier.layers_per_block, Integers{1, 16});
  visit("classifier", "norm_num_groups", classifier.norm_num_groups, Integers{1, 8192});
  visit("classifier", "norm_eps", classifier.norm_eps, Reals{0, 1, true, true});
  visit("classifier", "dropout", classifier.dropout, Reals{0, 1, false, true});
  visit("classifier", "noisy", classifier.noisy);
}

template <class Visitor>
void visit_diffusion(DiffusionConfig& diffusion, Visitor&& visit) {
  visit("diffusion", "schedule", diffusion.schedule);
  visit("diffusion", "prediction", diffusion.prediction);
  visit("diffusion", "variance", diffusion.variance);
  visit("diffusion", "loss", diffusion.loss);
  visit("diffusion", "time_sampler", diffusion.time_sampler);
  visit("diffusion", "label_dropout", diffusion.label_dropout, Reals{0, 1, false, true});
}

template <class Visitor>
void visit_train(TrainConfig& train, Visitor&& visit) {
  constexpr std::int64_t kMaxSteps =
      std::numeric_limits<std::uint32_t>::max();  // Philox counts steps in 32 bits
  visit("train", "steps", train.steps, Integers{1, kMaxSteps});
  visit("train", "batch", train.batch, Integers{1, 65536});
  visit("train", "micro_batch", train.micro_batch, Integers{0, 65536});
  visit("train", "recompute", train.recompute);
  visit("train", "learning_rate", train.learning_rate, Reals{0, 1, true, false});
  visit("train", "warmup", train.warmup, Integers{0, kMaxSteps});
  visit("train", "decay", train.decay, Integers{0, kMaxSteps});
  visit("train", "ema", train.ema, Reals{0, 1, false, true});
  visit("train", "clip", train.clip, Reals{0, 1e9});
  visit("train", "save_every", train.save_every, Integers{1, kMaxSteps});
  visit("train", "sample_every", train.sample_every, Integers{1, kMaxSteps});
  visit("train", "eval_every", train.eval_every, Integers{1, kMaxSteps});
  visit("train", "keep", train.keep, Integers{1, 1'000'000});
  visit("train", "sample_count", train.sample_count, Integers{1, 4096});
  visit("train", "sample_plan", train.sample_plan);
  visit("train", "eval_count", train.eval_count, Integers{1, 1'000'000});
  visit("train", "score_every", train.score_every, Integers{0, kMaxSteps});
  visit("train", "score_features", train.score_features);
  visit("train", "score_count", train.score_count, Integers{2, 10'000'000});
  visit("train", "score_plan", train.score_plan);
  visit("train", "keep_best", train.keep_best);
  visit("train", "init_from", train.init_from);
  // TOML's integers end at 2^63 - 1.
  visit("train", "seed", train.seed, Integers{0, std::numeric_limits<std::int64_t>::max()});
}

/// Calls visit(table, key, value, range) for every key, in the order of the file. Strings and flags
/// have no range.
template <class Visitor>
void visit_keys(Keys& keys, Visitor&& visit) {
  visit_data(keys.run.data, visit);
  visit_net(keys, visit);
  visit_classifier(keys.classifier, visit);
  visit_diffusion(keys.run.diffusion, visit);
  visit_train(keys.run.train, visit);
}

}  // namespace ddpm::config
