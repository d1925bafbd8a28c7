// UNetConfig -> unet/config.json, every key that UNet2DModel has.
#include <cmath>

#include "ddpm/net/json_writer.h"
#include "ddpm/net/model_parts.h"

namespace ddpm {
namespace {

Json block_types(const std::vector<bool>& attention, const char* side) {
  std::vector<Json> types;
  for (const bool attends : attention) {
    types.push_back(json_string(fmt::format("{}{}Block2D", attends ? "Attn" : "", side)));
  }
  return json_list(std::move(types));
}

// diffusers keeps whole ones as integers.
Json number_json(double number) {
  const bool whole = number == std::floor(number) && std::abs(number) < 1e9;
  return whole ? json_integer(static_cast<std::int64_t>(number)) : json_real(number);
}

Json count_json(int count) { return count == 0 ? Json{} : json_integer(count); }

template <class Enum>
Json word_json(Enum value) {
  return json_string(std::string(to_string(value)));
}

// Where the number of heads is what is fixed, the width that they have, or the last of several.
Json head_dim_json(const UNetConfig& c) {
  if (c.attention_heads == 0) return count_json(c.attention_head_dim);
  const std::vector<int> widths = head_widths(c);
  return count_json(widths.empty() ? 0 : widths.back());
}

std::vector<bool> upwards(const UNetConfig& c) {
  std::vector<bool> flags;
  for (std::size_t i = c.attention.size(); i-- > 0;) flags.push_back(c.attends_up(i));
  return flags;
}

std::map<std::string, Json> time_and_class_json(const UNetConfig& c) {
  return {
      {"class_embed_type", c.class_timestep ? json_string("timestep") : Json{}},
      {"flip_sin_to_cos", json_bool(c.flip_sin_to_cos)},
      {"freq_shift", number_json(c.freq_shift)},
      {"num_class_embeds", count_json(c.class_rows())},
      {"num_train_timesteps", count_json(c.num_train_timesteps)},
      {"time_embedding_dim", count_json(c.time_embedding_dim)},
      {"time_embedding_type", word_json(c.time_embedding_type)},
  };
}

std::map<std::string, Json> block_json(const UNetConfig& c) {
  return {
      {"act_fn", json_string("silu")},
      {"add_attention", json_bool(c.add_attention)},
      {"attention_head_dim", head_dim_json(c)},  // a missing key would mean 8
      {"attn_norm_num_groups", count_json(c.attn_norm_num_groups)},
      {"downsample_padding", json_integer(c.downsample_padding)},
      {"downsample_type", word_json(c.downsample_type)},
      {"dropout", json_real(c.dropout)},
      {"layers_per_block", json_integer(c.layers_per_block)},
      {"mid_block_scale_factor", number_json(c.mid_block_scale_factor)},
      {"mid_block_type", c.mid_block ? json_string("UNetMidBlock2D") : Json{}},
      {"norm_eps", json_real(c.norm_eps)},
      {"norm_num_groups", json_integer(c.norm_num_groups)},
      {"resnet_time_scale_shift", word_json(c.resnet_time_scale_shift)},
      {"upsample_type", word_json(c.upsample_type)},
  };
}

}  // namespace

std::vector<int> head_widths(const UNetConfig& c) {
  std::vector<int> widths;
  for (std::size_t i = 0; i < c.attention.size(); ++i) {
    if (c.attends(i)) widths.push_back(attention_heads(c, c.block_out_channels[i]).width);
  }
  return widths;
}

Json unet_config_json(const UNetConfig& c) {
  const Json size = c.height == c.width
                        ? json_integer(c.height)
                        : json_list({json_integer(c.height), json_integer(c.width)});
  std::map<std::string, Json> members = {
      {"_class_name", json_string("UNet2DModel")},
      {"_diffusers_version", json_string(kDiffusersVersion)},
      {"block_out_channels", json_list_of(c.block_out_channels, json_integer)},
      {"center_input_sample", json_bool(c.center_input_sample)},
      {"down_block_types", block_types(c.attention, "Down")},
      {"in_channels", json_integer(c.in_channels)},
      {"out_channels", json_integer(c.out_channels)},
      {"sample_size", size},
      {"up_block_types", block_types(upwards(c), "Up")},
  };
  members.merge(time_and_class_json(c));
  members.merge(block_json(c));
  return json_object(std::move(members));
}

}  // namespace ddpm
