// For tests: what newer U-Nets have, each kind with what the others lack.
#pragma once

#include <vector>

#include "ddpm/net/unet.h"

namespace ddpm {

/// `base` has two levels, attention at the second, and channels that 3 divides at the end;
/// `head`: channels a head of the third kind, which need not fill the channels up.
inline std::vector<UNetConfig> unet_kinds(const UNetConfig& base, int head) {
  UNetConfig improved = base;  // improved-diffusion's
  improved.out_channels = 2 * base.in_channels;
  improved.resnet_time_scale_shift = TimeShift::scale_shift;
  improved.attention_heads = 2;
  improved.attn_norm_num_groups = 3;
  improved.num_classes = 4;
  improved.null_class = true;
  UNetConfig song = base;  // score SDE's
  song.time_embedding_type = TimeEmbedding::fourier;
  song.divide_by_time = song.skip_rescale = song.center_input_sample = true;
  song.attention = {true, false};
  song.downsample_type = song.upsample_type = Resample::resnet;
  song.class_timestep = true;
  UNetConfig odd = base;
  odd.time_embedding_type = TimeEmbedding::learned;
  odd.num_train_timesteps = 1000;
  odd.time_embedding_dim = 20;
  odd.resnet_time_scale_shift = TimeShift::scale_shift;
  odd.up_attention = {true, false};
  odd.upsample_type = Resample::resnet;
  odd.attention_head_dim = head;
  odd.mid_block_scale_factor = 1.5;
  odd.num_classes = 5;
  UNetConfig bare = base;
  bare.mid_block = bare.add_attention = false;
  bare.attention = {false, false};
  return {improved, song, odd, bare};
}

}  // namespace ddpm
