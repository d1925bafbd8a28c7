// The paper's U-Net (App. B) and its descendants as rows, with the parameter names of diffusers'
// UNet2DModel.
#pragma once

#include <string_view>
#include <vector>

#include "ddpm/net/params.h"

namespace ddpm {

/// What the time embedding is made of. positional: sinusoids. fourier: those of log(time) at random
/// frequencies, which are stored (Song et al. 2021). learned: a row of a table.
enum class TimeEmbedding { positional, fourier, learned };
/// How a residual block is told the time: added before its second norm, or as scale and shift
/// after.
enum class TimeShift { add, scale_shift };
/// What changes the size between levels with attention: one convolution or a residual block.
enum class Resample { conv, resnet };

/// Words of unet/config.json: "positional", ...; "default", "scale_shift"; "conv", "resnet".
std::string_view to_string(TimeEmbedding kind);
std::string_view to_string(TimeShift kind);
std::string_view to_string(Resample kind);

/// Keys as in unet/config.json where it has them; defaults are the paper's.
struct UNetConfig {
  int in_channels = 3, out_channels = 3;  // twice as many out, where a variance is learned
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

  TimeShift resnet_time_scale_shift = TimeShift::add;
  int attention_heads = 0;  // of every attention, where not 0: attention_head_dim is not read then
  std::vector<bool> up_attention = {};  // of the way up, one a level; empty = as `attention`
  bool mid_block = true, add_attention = true;  // whether there is a middle; its attention
  int attn_norm_num_groups = 0;  // of the middle's attention; 0 = norm_num_groups, or no norm at
                                 // all with scale_shift
  double mid_block_scale_factor = 1;  // divides the middle's residual sums
  bool skip_rescale = false;          // every residual sum times sqrt(1/2) (Song et al. 2021)
  Resample downsample_type = Resample::conv, upsample_type = Resample::conv;
  bool center_input_sample = false;  // x -> 2 x - 1
  TimeEmbedding time_embedding_type = TimeEmbedding::positional;
  int time_embedding_dim = 0;   // 0 = 4 block_out_channels[0]
  int num_train_timesteps = 0;  // times of a learned embedding; 0 with any other
  bool divide_by_time = false;  // the output, as UNet2DModel does where the embedding is fourier
  int num_classes = 0;          // 0 = unconditional, unless class_timestep
  bool null_class = false;      // one class more, the last: the images whose label is not told
  bool class_timestep = false;  // labels are embedded as times are, not by a table

  /// Whether level i attends on the way up.
  bool attends_up(std::size_t i) const {
    return up_attention.empty() ? attention[i] : up_attention[i];
  }
  /// Whether any attention has level i's size: down, up, or in the middle.
  bool attends(std::size_t i) const {
    const bool middle = mid_block && add_attention && i + 1 == attention.size();
    return attention[i] || attends_up(i) || middle;
  }
  /// Rows of the class table: num_class_embeds of config.json.
  int class_rows() const { return num_classes + (null_class ? 1 : 0); }
  bool conditional() const { return num_classes > 0 || class_timestep; }

  bool operator==(const UNetConfig&) const = default;
};

/// How a level's attention of so many channels is cut: heads of `width` channels each.
struct Heads {
  int count, width;
};
Heads attention_heads(const UNetConfig& config, int channels);

/// Throws Error that names every value that cannot be (channels not divisible by groups, sizes not
/// divisible by 2^(levels - 1), ...).
void check_unet(const UNetConfig& config);

/// x {in_channels, h, w}, time and label -> {out_channels, h, w}, twice in_channels where the
/// variance is learned: [mean part, variance part]. Calls check_unet.
Graph unet(const UNetConfig& config);

/// The paper's initialisation: variance scaling, fan_avg, uniform; the last conv of each residual
/// block, attention's output and conv_out with scale 1e-10; norms 1 and 0; biases 0. Tables of
/// embeddings are standard normal, Fourier frequencies 16 times that, as in diffusers. From Philox,
/// so equal on every machine.
Params init_unet(const Graph& graph, std::uint64_t seed);

}  // namespace ddpm
