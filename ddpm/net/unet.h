// The paper's U-Net (App. B) as rows, with the parameter names of diffusers' UNet2DModel.
#pragma once

#include <vector>

#include "ddpm/net/params.h"

namespace ddpm {

/// Keys as in unet/config.json; defaults are the paper's.
struct UNetConfig {
  int in_channels = 3, out_channels = 3;
  int height = 32, width = 32;
  std::vector<int> block_out_channels = {128, 256, 256, 256};
  std::vector<bool> attention = {false, true, false, false};  // one a level
  int layers_per_block = 2;
  int norm_num_groups = 32;
  double norm_eps = 1e-6;
  double dropout = 0.1;
  int attention_head_dim = 0;  // channels a head; 0 = one head
  bool flip_sin_to_cos = false;
  double freq_shift = 1;
  int downsample_padding = 0;  // 0: zeros after only, as TensorFlow's SAME; 1: on both sides

  bool operator==(const UNetConfig&) const = default;
};

/// Throws Error that names every value that cannot be (channels not divisible by groups, sizes not
/// divisible by 2^(levels - 1), ...).
void check_unet(const UNetConfig& config);

/// x {in_channels, h, w} and time -> {out_channels, h, w}, twice in_channels where the variance is
/// learned: [mean part, variance part]. Calls check_unet.
Graph unet(const UNetConfig& config);

/// The paper's initialisation: variance scaling, fan_avg, uniform; the last conv of each residual
/// block, attention's output and conv_out with scale 1e-10; norms 1 and 0; biases 0. From Philox,
/// so equal on every machine.
Params init_unet(const Graph& graph, std::uint64_t seed);

}  // namespace ddpm
