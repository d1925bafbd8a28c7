#include "ddpm/net/unet.h"

#include <fmt/format.h>

#include <cmath>

namespace ddpm {
namespace {

enum class Size { same, half, twice };

// The rows of one U-Net, block by block, in the order of the paper's code and of diffusers.
class UNetBuilder {
 public:
  explicit UNetBuilder(const UNetConfig& config) : c_(config) {}

  Graph build() {
    Value x = g_.input({c_.in_channels, c_.height, c_.width});
    if (c_.center_input_sample) x = g_.scale(x, 2, -1);
    embed_time();
    Value h = g_.conv(x, "conv_in", c_.block_out_channels[0], 3, 1, 1, 1);
    skips_.push_back(h);
    for (int level = 0; level < levels(); ++level) h = down(h, level);
    if (c_.mid_block) h = middle(h);
    for (int i = 0; i < levels(); ++i) h = up(h, i);
    h = g_.silu(norm(h, "conv_norm_out"));
    h = g_.conv(h, "conv_out", c_.out_channels, 3, 1, 1, 1);
    g_.output = c_.divide_by_time ? g_.divide_by_time(h) : h;
    return std::move(g_);
  }

 private:
  int levels() const { return static_cast<int>(c_.block_out_channels.size()); }

  Value norm(Value x, const std::string& name) {
    return g_.group_norm(x, name, c_.norm_num_groups, c_.norm_eps);
  }

  Value features(bool of_label) {
    const int width = c_.block_out_channels[0];
    switch (c_.time_embedding_type) {
      case TimeEmbedding::fourier:
        return g_.fourier_embedding("time_proj", width, of_label);
      case TimeEmbedding::learned:
        return g_.learned_time_embedding("time_proj", c_.num_train_timesteps, width);
      case TimeEmbedding::positional:
        break;
    }
    return g_.time_embedding(width, c_.flip_sin_to_cos, c_.freq_shift, of_label);
  }

  int time_width() const {
    return c_.time_embedding_dim == 0 ? 4 * c_.block_out_channels[0] : c_.time_embedding_dim;
  }

  // linear(silu(linear(x))).
  Value two_layers(Value x, const std::string& name) {
    const Value hidden = g_.silu(g_.linear(x, name + ".linear_1", time_width()));
    return g_.linear(hidden, name + ".linear_2", time_width());
  }

  // Time and class are one vector; every residual block starts from its SiLU.
  void embed_time() {
    Value time = two_layers(features(false), "time_embedding");
    if (c_.class_timestep) {
      time = g_.add(time, two_layers(features(true), "class_embedding"));
    } else if (c_.num_classes > 0) {
      const int null_row = c_.null_class ? c_.num_classes : kNoValue;
      time = g_.add(time,
                    g_.label_embedding("class_embedding", c_.class_rows(), time_width(), null_row));
    }
    time_ = g_.silu(time);
  }

  // (h + x) / factor.
  Value residual(Value h, Value x, double factor) {
    const double alpha = (c_.skip_rescale ? std::sqrt(0.5) : 1) / factor;
    const Value sum = g_.add(h, x);
    return alpha == 1 ? sum : g_.scale(sum, alpha);
  }

  // The second norm of a residual block, where the time comes in.
  Value norm_with_time(Value h, const std::string& name) {
    const int channels = g_.shape(h).c;
    if (c_.resnet_time_scale_shift == TimeShift::add) {
      const Value time = g_.linear(time_, name + ".time_emb_proj", channels);
      return norm(g_.add(h, time), name + ".norm2");
    }
    const Value time = g_.linear(time_, name + ".time_emb_proj", 2 * channels);
    return g_.group_norm(h, name + ".norm2", c_.norm_num_groups, c_.norm_eps, time);
  }

  Value resize(Value x, Size size) {
    return size == Size::same ? x : size == Size::half ? g_.mean_pool(x) : g_.upsample(x);
  }

  Value resnet(Value x, const std::string& name, int channels, double factor = 1,
               Size size = Size::same) {
    const Value first = resize(g_.silu(norm(x, name + ".norm1")), size);
    x = resize(x, size);
    const Value h = norm_with_time(g_.conv(first, name + ".conv1", channels, 3, 1, 1, 1), name);
    const Value inner = g_.dropout(g_.silu(h), c_.dropout);
    const Value second = g_.conv(inner, name + ".conv2", channels, 3, 1, 1, 1);
    const bool same = g_.shape(x).c == channels;
    const Value shortcut = same ? x : g_.conv(x, name + ".conv_shortcut", channels, 1, 1, 0, 0);
    return residual(second, shortcut, factor);
  }

  // groups: of its norm; 0 = it has none.
  Value attention(Value x, const std::string& name, int groups, double factor = 1) {
    const int channels = g_.shape(x).c;
    const auto [heads, width] = attention_heads(c_, channels);
    const Value h = groups == 0 ? x : g_.group_norm(x, name + ".group_norm", groups, c_.norm_eps);
    const Value q = g_.linear(h, name + ".to_q", heads * width);
    const Value k = g_.linear(h, name + ".to_k", heads * width);
    const Value v = g_.linear(h, name + ".to_v", heads * width);
    const Value mixed = g_.attention(q, k, v, heads);
    return residual(g_.linear(mixed, name + ".to_out.0", channels), x, factor);
  }

  Value block(Value h, const std::string& prefix, int j, int level, bool attends) {
    h = resnet(h, fmt::format("{}.resnets.{}", prefix, j), c_.block_out_channels[level]);
    if (!attends) return h;
    return attention(h, fmt::format("{}.attentions.{}", prefix, j), c_.norm_num_groups);
  }

  Value down(Value h, int level) {
    const std::string prefix = fmt::format("down_blocks.{}", level);
    const int channels = c_.block_out_channels[level];
    const bool attends = c_.attention[level];
    for (int j = 0; j < c_.layers_per_block; ++j) {
      h = block(h, prefix, j, level, attends);
      skips_.push_back(h);
    }
    if (level == levels() - 1) return h;
    if (attends && c_.downsample_type == Resample::resnet) {
      h = resnet(h, prefix + ".downsamplers.0", channels, 1, Size::half);
    } else {
      h = g_.conv(h, prefix + ".downsamplers.0.conv", channels, 3, 2, c_.downsample_padding, 1);
    }
    skips_.push_back(h);
    return h;
  }

  Value middle(Value h) {
    const int channels = c_.block_out_channels.back();
    const bool always_normed = c_.resnet_time_scale_shift == TimeShift::add;
    const int usual = always_normed ? c_.norm_num_groups : 0;
    const int groups = c_.attn_norm_num_groups == 0 ? usual : c_.attn_norm_num_groups;
    const double factor = c_.mid_block_scale_factor;
    h = resnet(h, "mid_block.resnets.0", channels, factor);
    if (c_.add_attention) h = attention(h, "mid_block.attentions.0", groups, factor);
    return resnet(h, "mid_block.resnets.1", channels, factor);
  }

  Value up(Value h, int i) {
    const int level = levels() - 1 - i;
    const std::string prefix = fmt::format("up_blocks.{}", i);
    const int channels = c_.block_out_channels[level];
    const bool attends = c_.attends_up(level);
    for (int j = 0; j <= c_.layers_per_block; ++j) {
      h = block(g_.concat(h, skips_.back()), prefix, j, level, attends);
      skips_.pop_back();
    }
    if (level == 0) return h;
    if (attends && c_.upsample_type == Resample::resnet) {
      return resnet(h, prefix + ".upsamplers.0", channels, 1, Size::twice);
    }
    return g_.conv(g_.upsample(h), prefix + ".upsamplers.0.conv", channels, 3, 1, 1, 1);
  }

  const UNetConfig& c_;
  Graph g_;
  Value time_ = kNoValue;
  std::vector<Value> skips_;
};

}  // namespace

Heads attention_heads(const UNetConfig& c, int channels) {
  if (c.attention_heads > 0) return {c.attention_heads, channels / c.attention_heads};
  if (c.attention_head_dim == 0) return {1, channels};
  return {channels / c.attention_head_dim, c.attention_head_dim};
}

Graph unet(const UNetConfig& config) {
  check_unet(config);
  return UNetBuilder(config).build();
}

std::string_view to_string(TimeEmbedding kind) {
  switch (kind) {
    case TimeEmbedding::positional:
      return "positional";
    case TimeEmbedding::fourier:
      return "fourier";
    case TimeEmbedding::learned:
      return "learned";
  }
  return "?";
}

std::string_view to_string(TimeShift kind) {
  return kind == TimeShift::add ? "default" : "scale_shift";
}

std::string_view to_string(Resample kind) { return kind == Resample::conv ? "conv" : "resnet"; }

}  // namespace ddpm
