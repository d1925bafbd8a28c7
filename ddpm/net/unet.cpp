#include "ddpm/net/unet.h"

#include <algorithm>

#include "ddpm/base/error.h"

namespace ddpm {
namespace {

// The rows of one U-Net, block by block, in the order of the paper's code and of diffusers.
class Builder {
 public:
  explicit Builder(const UNetConfig& config) : c_(config) {}

  Graph build() {
    const Value x = g_.input({c_.in_channels, c_.height, c_.width});
    embed_time();
    Value h = g_.conv(x, "conv_in", c_.block_out_channels[0], 3, 1, 1, 1);
    skips_.push_back(h);
    for (int level = 0; level < levels(); ++level) h = down(h, level);
    h = middle(h);
    for (int i = 0; i < levels(); ++i) h = up(h, i);
    h = g_.silu(norm(h, "conv_norm_out"));
    g_.output = g_.conv(h, "conv_out", c_.out_channels, 3, 1, 1, 1);
    return std::move(g_);
  }

 private:
  int levels() const { return static_cast<int>(c_.block_out_channels.size()); }

  Value norm(Value x, const std::string& name) {
    return g_.group_norm(x, name, c_.norm_num_groups, c_.norm_eps);
  }

  // silu(linear(silu(linear(sinusoids)))): every residual block starts from its SiLU.
  void embed_time() {
    const int width = c_.block_out_channels[0];
    const Value sinusoids = g_.time_embedding(width, c_.flip_sin_to_cos, c_.freq_shift);
    const Value hidden = g_.silu(g_.linear(sinusoids, "time_embedding.linear_1", 4 * width));
    time_ = g_.silu(g_.linear(hidden, "time_embedding.linear_2", 4 * width));
  }

  Value resnet(Value x, const std::string& name, int channels) {
    const Value first =
        g_.conv(g_.silu(norm(x, name + ".norm1")), name + ".conv1", channels, 3, 1, 1, 1);
    const Value time = g_.linear(time_, name + ".time_emb_proj", channels);
    const Value inner = g_.dropout(g_.silu(norm(g_.add(first, time), name + ".norm2")), c_.dropout);
    const Value second = g_.conv(inner, name + ".conv2", channels, 3, 1, 1, 1);
    const bool same = g_.shape(x).c == channels;
    const Value shortcut = same ? x : g_.conv(x, name + ".conv_shortcut", channels, 1, 1, 0, 0);
    return g_.add(second, shortcut);
  }

  Value attention(Value x, const std::string& name) {
    const int channels = g_.shape(x).c;
    const int heads = c_.attention_head_dim == 0 ? 1 : channels / c_.attention_head_dim;
    const Value h = norm(x, name + ".group_norm");
    const Value q = g_.linear(h, name + ".to_q", channels);
    const Value k = g_.linear(h, name + ".to_k", channels);
    const Value v = g_.linear(h, name + ".to_v", channels);
    return g_.add(g_.linear(g_.attention(q, k, v, heads), name + ".to_out.0", channels), x);
  }

  Value block(Value h, const std::string& prefix, int j, int level) {
    h = resnet(h, fmt::format("{}.resnets.{}", prefix, j), c_.block_out_channels[level]);
    return c_.attention[level] ? attention(h, fmt::format("{}.attentions.{}", prefix, j)) : h;
  }

  Value down(Value h, int level) {
    const std::string prefix = fmt::format("down_blocks.{}", level);
    for (int j = 0; j < c_.layers_per_block; ++j) {
      h = block(h, prefix, j, level);
      skips_.push_back(h);
    }
    if (level == levels() - 1) return h;
    h = g_.conv(h, prefix + ".downsamplers.0.conv", c_.block_out_channels[level], 3, 2,
                c_.downsample_padding, 1);
    skips_.push_back(h);
    return h;
  }

  Value middle(Value h) {
    const int channels = c_.block_out_channels.back();
    h = resnet(h, "mid_block.resnets.0", channels);
    h = attention(h, "mid_block.attentions.0");
    return resnet(h, "mid_block.resnets.1", channels);
  }

  Value up(Value h, int i) {
    const int level = levels() - 1 - i;
    const std::string prefix = fmt::format("up_blocks.{}", i);
    for (int j = 0; j <= c_.layers_per_block; ++j) {
      h = block(g_.concat(h, skips_.back()), prefix, j, level);
      skips_.pop_back();
    }
    if (level == 0) return h;
    return g_.conv(g_.upsample(h), prefix + ".upsamplers.0.conv", c_.block_out_channels[level], 3,
                   1, 1, 1);
  }

  const UNetConfig& c_;
  Graph g_;
  Value time_ = kNoValue;
  std::vector<Value> skips_;
};

// Collects what is wrong, so that one message names it all.
class Problems {
 public:
  template <class... Args>
  void require(bool holds, fmt::format_string<Args...> format, Args&&... args) {
    if (!holds) list_.push_back(fmt::format(format, std::forward<Args>(args)...));
  }
  void throw_if_any() const {
    if (list_.empty()) return;
    throw Error("[net] unet: {}", fmt::join(list_, "; "));
  }

 private:
  std::vector<std::string> list_;
};

void check_channels(const UNetConfig& c, Problems& problems) {
  for (const int n : c.block_out_channels) {
    problems.require(n >= 1 && n <= 8192, "block_out_channels: got {}, expected 1..8192", n);
    problems.require(c.norm_num_groups >= 1 && n % std::max(1, c.norm_num_groups) == 0,
                     "block_out_channels {} is not divisible by norm_num_groups {}; try {} groups",
                     n, c.norm_num_groups, n % 8 == 0 ? 8 : 1);
    problems.require(
        c.attention_head_dim == 0 || (c.attention_head_dim > 0 && n % c.attention_head_dim == 0),
        "block_out_channels {} is not divisible by attention_head_dim {}", n, c.attention_head_dim);
  }
  if (!c.block_out_channels.empty()) {
    problems.require(c.block_out_channels[0] % 2 == 0,
                     "block_out_channels[0]: got {}, expected an even number (sine and cosine)",
                     c.block_out_channels[0]);
  }
}

void check_size(const UNetConfig& c, Problems& problems) {
  const int levels = static_cast<int>(c.block_out_channels.size());
  const int unit = 1 << std::min(20, std::max(0, levels - 1));
  for (const int side : {c.height, c.width}) {
    problems.require(side >= 1 && side <= 4096 && side % unit == 0,
                     "size {}x{}: {} levels need sides of 1..4096 divisible by {}; got {}",
                     c.height, c.width, levels, unit, side);
  }
}

}  // namespace

void check_unet(const UNetConfig& c) {
  Problems problems;
  const std::size_t levels = c.block_out_channels.size();
  problems.require(levels >= 1 && levels <= 8, "block_out_channels: got {} levels, expected 1..8",
                   levels);
  problems.require(c.attention.size() == levels, "attention: got {} levels, expected {}",
                   c.attention.size(), levels);
  problems.require(c.in_channels >= 1 && c.in_channels <= 4,
                   "image channels: got {}, expected 1..4", c.in_channels);
  problems.require(c.out_channels == c.in_channels || c.out_channels == 2 * c.in_channels,
                   "out_channels: got {}, expected in_channels {}, or twice that for a learned "
                   "variance",
                   c.out_channels, c.in_channels);
  problems.require(c.layers_per_block >= 1 && c.layers_per_block <= 16,
                   "layers_per_block: got {}, expected 1..16", c.layers_per_block);
  problems.require(c.dropout >= 0 && c.dropout < 1, "dropout: got {}, expected [0, 1)", c.dropout);
  problems.require(c.norm_eps > 0, "norm_eps: got {}, expected a positive number", c.norm_eps);
  problems.require(c.downsample_padding == 0 || c.downsample_padding == 1,
                   "downsample_padding: got {}, expected 0 or 1", c.downsample_padding);
  check_channels(c, problems);
  check_size(c, problems);
  problems.throw_if_any();
}

Graph unet(const UNetConfig& config) {
  check_unet(config);
  return Builder(config).build();
}

}  // namespace ddpm
