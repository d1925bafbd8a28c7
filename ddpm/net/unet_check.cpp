// Which U-Nets there can be.
#include <algorithm>
#include <cmath>

#include "ddpm/net/problems.h"
#include "ddpm/net/unet.h"

namespace ddpm {
namespace {

void check_channels(const UNetConfig& c, Problems& problems) {
  const auto divides = [](int d, int n) { return d >= 1 && n % d == 0; };
  for (const int n : c.block_out_channels) {
    problems.require(n >= 1 && n <= 8192, "block_out_channels: got {}, expected 1..8192", n);
    problems.require(divides(c.norm_num_groups, n),
                     "block_out_channels {} is not divisible by norm_num_groups {}; try {} groups",
                     n, c.norm_num_groups, n % 8 == 0 ? 8 : 1);
  }
  if (c.block_out_channels.empty()) return;
  problems.require(c.block_out_channels[0] % 2 == 0,
                   "block_out_channels[0]: got {}, expected an even number (sine and cosine)",
                   c.block_out_channels[0]);
  problems.require(
      c.attn_norm_num_groups == 0 || divides(c.attn_norm_num_groups, c.block_out_channels.back()),
      "attn_norm_num_groups: got {}, expected a divisor of the middle's {} channels",
      c.attn_norm_num_groups, c.block_out_channels.back());
}

// Heads must be whole; only where there is attention.
void check_heads(const UNetConfig& c, Problems& problems) {
  problems.require(c.attention_heads >= 0 && c.attention_head_dim >= 0,
                   "attention_heads, attention_head_dim: got {} and {}, expected 0 or more",
                   c.attention_heads, c.attention_head_dim);
  problems.require(c.attention_heads == 0 || c.attention_head_dim == 0,
                   "attention_heads and attention_head_dim: got {} and {}, expected one of them",
                   c.attention_heads, c.attention_head_dim);
  const std::size_t levels = c.block_out_channels.size();
  const bool flags =
      c.attention.size() == levels && (c.up_attention.empty() || c.up_attention.size() == levels);
  for (std::size_t i = 0; flags && i < levels; ++i) {
    if (!c.attends(i)) continue;
    const int n = c.block_out_channels[i];
    problems.require(c.attention_head_dim <= n,
                     "attention_head_dim: got {}, expected at most the {} channels of level {}",
                     c.attention_head_dim, n, i + 1);
    problems.require(c.attention_heads <= 0 || n % c.attention_heads == 0,
                     "attention_heads: got {}, expected a divisor of the {} channels of level {}",
                     c.attention_heads, n, i + 1);
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

void check_levels(const UNetConfig& c, Problems& problems) {
  const std::size_t levels = c.block_out_channels.size();
  problems.require(levels >= 1 && levels <= 8, "block_out_channels: got {} levels, expected 1..8",
                   levels);
  problems.require(c.attention.size() == levels, "attention: got {} levels, expected {}",
                   c.attention.size(), levels);
  problems.require(c.up_attention.empty() || c.up_attention.size() == levels,
                   "up_attention: got {} levels, expected {}", c.up_attention.size(), levels);
  problems.require(c.layers_per_block >= 1 && c.layers_per_block <= 16,
                   "layers_per_block: got {}, expected 1..16", c.layers_per_block);
}

void check_images(const UNetConfig& c, Problems& problems) {
  problems.require(c.in_channels >= 1 && c.in_channels <= 4,
                   "image channels: got {}, expected 1..4", c.in_channels);
  problems.require(c.out_channels == c.in_channels || c.out_channels == 2 * c.in_channels,
                   "out_channels: got {}, expected in_channels {}, or twice that with a learned "
                   "variance",
                   c.out_channels, c.in_channels);
}

void check_numbers(const UNetConfig& c, Problems& problems) {
  problems.require(c.dropout >= 0 && c.dropout < 1, "dropout: got {}, expected [0, 1)", c.dropout);
  problems.require(c.norm_eps > 0, "norm_eps: got {}, expected a positive number", c.norm_eps);
  problems.require(c.downsample_padding == 0 || c.downsample_padding == 1,
                   "downsample_padding: got {}, expected 0 or 1", c.downsample_padding);
  problems.require(c.mid_block_scale_factor > 0 && std::isfinite(c.mid_block_scale_factor),
                   "mid_block_scale_factor: got {}, expected a positive number",
                   c.mid_block_scale_factor);
}

void check_embeddings(const UNetConfig& c, Problems& problems) {
  constexpr int kMostRows = 1 << 20;
  const bool learned = c.time_embedding_type == TimeEmbedding::learned;
  const int width = c.block_out_channels.empty() ? 0 : c.block_out_channels[0];
  problems.require(
      width == 0 || c.time_embedding_type != TimeEmbedding::positional || 2 * c.freq_shift < width,
      "block_out_channels[0]: got {}, expected above {} with freq_shift {}", width,
      2 * c.freq_shift, c.freq_shift);
  problems.require(c.time_embedding_dim >= 0 && c.time_embedding_dim <= 65536,
                   "time_embedding_dim: got {}, expected 0..65536", c.time_embedding_dim);
  problems.require(
      learned ? c.num_train_timesteps >= 1 && c.num_train_timesteps <= kMostRows
              : c.num_train_timesteps == 0,
      "num_train_timesteps: got {}, expected 1..{} with a learned time embedding, 0 without",
      c.num_train_timesteps, kMostRows);
  problems.require(!c.divide_by_time || c.time_embedding_type == TimeEmbedding::fourier,
                   "divide_by_time: got true with time embedding {}, expected fourier",
                   to_string(c.time_embedding_type));
  problems.require(c.num_classes >= 0 && c.num_classes < kMostRows,
                   "num_classes: got {}, expected 0..{}", c.num_classes, kMostRows - 1);
  problems.require(!c.null_class || c.num_classes > 0,
                   "null_class: got one without classes, expected num_classes above 0");
  problems.require(
      !c.class_timestep || (c.num_classes == 0 && !learned),
      "classes embedded as times: got {} num_classes and time embedding {}, expected 0 "
      "and positional or fourier",
      c.num_classes, to_string(c.time_embedding_type));
}

}  // namespace

void check_unet(const UNetConfig& c) {
  Problems problems;
  check_levels(c, problems);
  check_images(c, problems);
  check_numbers(c, problems);
  check_channels(c, problems);
  check_heads(c, problems);
  check_size(c, problems);
  check_embeddings(c, problems);
  problems.throw_if_any("unet");
}

}  // namespace ddpm
