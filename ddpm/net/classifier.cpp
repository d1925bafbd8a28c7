#include "ddpm/net/classifier.h"

#include <utility>

#include "ddpm/net/problems.h"

namespace ddpm {
namespace {

class ClassifierBuilder {
 public:
  explicit ClassifierBuilder(const ClassifierConfig& config) : c_(config) {}

  Graph build(ClassifierOutput output) {
    const Value x = g_.input({c_.in_channels, c_.height, c_.width});
    if (c_.noisy) embed_time();
    Value h = g_.conv(x, "conv_in", c_.block_out_channels[0], 3, 1, 1, 1);
    for (std::size_t level = 0; level < c_.block_out_channels.size(); ++level) {
      if (level > 0) h = halve(h, level);
      for (int j = 0; j < c_.layers_per_block; ++j) {
        h = block(h, fmt::format("blocks.{}.{}", level, j), c_.block_out_channels[level]);
      }
    }
    const Value features = g_.mean_pixels(g_.silu(norm(h, "norm_out")));
    const Value logits = g_.linear(g_.dropout(features, c_.dropout), "logits", c_.num_classes);
    g_.output = output == ClassifierOutput::logits     ? logits
                : output == ClassifierOutput::features ? features
                                                       : g_.concat(features, logits);
    return std::move(g_);
  }

 private:
  Value norm(Value x, const std::string& name) {
    return g_.group_norm(x, name, c_.norm_num_groups, c_.norm_eps);
  }

  // As the U-Net's: sinusoids, two layers, a SiLU that every block starts from.
  void embed_time() {
    const int width = c_.block_out_channels[0];
    const Value sinusoids = g_.time_embedding(width, /*flip_sin_to_cos=*/false, /*freq_shift=*/1);
    const Value hidden = g_.silu(g_.linear(sinusoids, "time_embedding.linear_1", 4 * width));
    time_ = g_.silu(g_.linear(hidden, "time_embedding.linear_2", 4 * width));
  }

  // 28 -> 14 -> 7: odd sizes round up.
  Value halve(Value h, std::size_t level) {
    const std::string name = fmt::format("downsamplers.{}", level);
    return g_.conv(h, name, c_.block_out_channels[level], 3, 2, 1, 1);
  }

  Value block(Value x, const std::string& name, int channels) {
    Value h = g_.conv(g_.silu(norm(x, name + ".norm1")), name + ".conv1", channels, 3, 1, 1, 1);
    if (c_.noisy) h = g_.add(h, g_.linear(time_, name + ".time_emb_proj", channels));
    h = g_.conv(g_.silu(norm(h, name + ".norm2")), name + ".conv2", channels, 3, 1, 1, 1);
    return g_.add(h, x);
  }

  const ClassifierConfig& c_;
  Graph g_;
  Value time_ = kNoValue;
};

}  // namespace

void check_classifier(const ClassifierConfig& c) {
  Problems problems;
  const auto whole = [&](const char* name, int got, int low, int high) {
    problems.require(got >= low && got <= high, "{}: got {}, expected {}..{}", name, got, low,
                     high);
  };
  const std::size_t levels = c.block_out_channels.size();
  whole("in_channels", c.in_channels, 1, 4);
  whole("height", c.height, 1, 4096);
  whole("width", c.width, 1, 4096);
  whole("num_classes", c.num_classes, 2, 65536);
  whole("levels of block_out_channels", static_cast<int>(levels), 1, 8);
  whole("layers_per_block", c.layers_per_block, 1, 16);
  whole("norm_num_groups", c.norm_num_groups, 1, 8192);
  for (const int n : c.block_out_channels) {
    whole("block_out_channels", n, 1, 8192);
    problems.require(c.norm_num_groups < 1 || n % c.norm_num_groups == 0,
                     "block_out_channels {} is not divisible by norm_num_groups {}", n,
                     c.norm_num_groups);
  }
  problems.require(
      !c.noisy || levels == 0 || (c.block_out_channels[0] % 2 == 0 && c.block_out_channels[0] > 2),
      "block_out_channels: expected an even number above 2 first: the time embedding is pairs "
      "of sines and cosines");
  problems.require(c.norm_eps > 0, "norm_eps: got {}, expected a positive number", c.norm_eps);
  problems.require(c.dropout >= 0 && c.dropout < 1, "dropout: got {}, expected [0, 1)", c.dropout);
  problems.throw_if_any("classifier");
}

Graph classifier(const ClassifierConfig& config, ClassifierOutput output) {
  check_classifier(config);
  return ClassifierBuilder(config).build(output);
}

}  // namespace ddpm
