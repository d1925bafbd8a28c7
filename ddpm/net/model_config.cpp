// unet/config.json <-> UNetConfig, with the keys and class defaults of diffusers' UNet2DModel.
#include <algorithm>
#include <cmath>

#include "ddpm/net/json_writer.h"
#include "ddpm/net/key_reader.h"
#include "ddpm/net/model_parts.h"

namespace ddpm {
namespace {

using Words = std::vector<std::string>;

constexpr const char* kBlocks = "DownBlock2D/UpBlock2D or AttnDownBlock2D/AttnUpBlock2D";

// One flag a block; `plain` and `attention` are the two types there may be.
std::vector<bool> attention_of(KeyReader& keys, std::string_view key, const Words& types,
                               std::string_view plain, std::string_view attention) {
  std::vector<bool> flags;
  for (const std::string& type : types) {
    if (type != plain && type != attention) {
      const Json got = json_string(type);
      keys.refuse(key, &got, fmt::format("{} or {}", plain, attention));
    }
    flags.push_back(type == attention);
  }
  return flags;
}

void read_blocks(KeyReader& keys, UNetConfig& config) {
  config.block_out_channels = keys.integers("block_out_channels", {224, 448, 672, 896});
  const Words down = keys.words(
      "down_block_types", {"DownBlock2D", "AttnDownBlock2D", "AttnDownBlock2D", "AttnDownBlock2D"});
  const Words up = keys.words("up_block_types",
                              {"AttnUpBlock2D", "AttnUpBlock2D", "AttnUpBlock2D", "UpBlock2D"});
  config.attention = attention_of(keys, "down_block_types", down, "DownBlock2D", "AttnDownBlock2D");
  const std::vector<bool> upwards =
      attention_of(keys, "up_block_types", up, "UpBlock2D", "AttnUpBlock2D");
  const std::vector<bool> mirrored(upwards.rbegin(), upwards.rend());
  const Json* types = keys.find("down_block_types");
  if (down.size() != config.block_out_channels.size()) {
    keys.refuse("down_block_types", types,
                fmt::format("as many as block_out_channels, {}", config.block_out_channels.size()));
  }
  if (config.attention != mirrored) {
    keys.refuse("up_block_types", keys.find("up_block_types"),
                fmt::format("the mirror image of down_block_types ({})", kBlocks));
  }
}

void read_size(KeyReader& keys, const Extras& extras, UNetConfig& config) {
  const Json* size = keys.find("sample_size");
  if (size == nullptr || size->is(Json::Kind::null)) {
    config.height = extras.height.value_or(0);
    config.width = extras.width.value_or(0);
    if (extras.height && extras.width) return;
    keys.refuse("sample_size", size,
                "a number or [height, width]; or height and width in ddpm.json");
  } else if (size->is(Json::Kind::array)) {
    const std::vector<int> sides = keys.integers("sample_size", {});
    if (sides.size() != 2) return keys.refuse("sample_size", size, "a number or [height, width]");
    config.height = sides[0];
    config.width = sides[1];
  } else {
    config.height = config.width = keys.integer("sample_size", 0);
  }
}

void read_attention(KeyReader& keys, UNetConfig& config) {
  const Json* head_dim = keys.find("attention_head_dim");
  const bool one_head = head_dim != nullptr && head_dim->is(Json::Kind::null);
  // A missing key is not null: diffusers then takes heads of 8 channels.
  config.attention_head_dim = one_head ? 0 : keys.integer("attention_head_dim", 8);
  if (!one_head && config.attention_head_dim < 1) {
    keys.refuse("attention_head_dim", head_dim, "null or a positive number");
  }
  config.norm_num_groups = keys.integer("norm_num_groups", 32);
  const Json* groups = keys.find("attn_norm_num_groups");
  if (groups != nullptr && !groups->is(Json::Kind::null) &&
      groups->integer() != config.norm_num_groups) {
    keys.refuse("attn_norm_num_groups", groups, "null or norm_num_groups");
  }
}

// What other values would make another network.
void refuse_variants(KeyReader& keys, const UNetConfig& config) {
  keys.only_words("_class_name", {"UNet2DModel"});
  keys.only_words("time_embedding_type", {"positional"});
  const Json* dim = keys.find("time_embedding_dim");
  const std::int64_t usual =
      config.block_out_channels.empty() ? 0 : std::int64_t{4} * config.block_out_channels[0];
  if (dim != nullptr && !dim->is(Json::Kind::null) && dim->integer() != usual) {
    keys.refuse("time_embedding_dim", dim,
                fmt::format("null or 4 block_out_channels[0], {}", usual));
  }
  keys.only_bool("center_input_sample", false);
  keys.only_words("mid_block_type", {"UNetMidBlock2D"});
  keys.only_number("mid_block_scale_factor", 1);
  keys.only_words("downsample_type", {"conv"});
  keys.only_words("upsample_type", {"conv"});
  keys.only_words("act_fn", {"silu", "swish"});
  keys.only_words("resnet_time_scale_shift", {"default"});
  keys.only_bool("add_attention", true);
  keys.only_null("class_embed_type");
  keys.only_null("num_class_embeds");
  keys.ignore({"num_train_timesteps"});  // sizes the learned time embedding alone
}

// heads * pixels numbers a pixel are one value of the graph; its size must stay an int.
void check_attention_size(const UNetConfig& c, const std::string& file) {
  constexpr std::int64_t kMost = 1 << 26;
  for (std::size_t level = 0; level < c.attention.size(); ++level) {
    if (!c.attention[level] && level + 1 < c.attention.size()) continue;
    const std::int64_t pixels = std::int64_t{c.height >> level} * (c.width >> level);
    const std::int64_t heads =
        c.attention_head_dim == 0 ? 1 : c.block_out_channels[level] / c.attention_head_dim;
    if (heads * pixels <= kMost) continue;
    throw Error(
        ExitCode::bad_input,
        "[net] {}: attention at level {}: got {} heads of {} pixels, expected at most {} in all",
        file, level, heads, pixels, kMost);
  }
}

Json block_types(const std::vector<bool>& attention, const char* side) {
  std::vector<Json> types;
  for (const bool attends : attention) {
    types.push_back(json_string(fmt::format("{}{}Block2D", attends ? "Attn" : "", side)));
  }
  return json_list(std::move(types));
}

Json channel_list(const std::vector<int>& channels) {
  std::vector<Json> numbers;
  for (const int n : channels) numbers.push_back(json_integer(n));
  return json_list(std::move(numbers));
}

// diffusers keeps it as an integer.
Json shift_json(double shift) {
  const bool whole = shift == std::floor(shift) && std::abs(shift) < 1e9;
  return whole ? json_integer(static_cast<std::int64_t>(shift)) : json_real(shift);
}

}  // namespace

UNetConfig read_unet_config(const Json& json, const std::string& file, const Extras& extras,
                            Warnings& warnings) {
  KeyReader keys(json, file);
  UNetConfig config;
  config.in_channels = keys.integer("in_channels", 3);
  config.out_channels = keys.integer("out_channels", 3);
  read_size(keys, extras, config);
  read_blocks(keys, config);
  config.layers_per_block = keys.integer("layers_per_block", 2);
  read_attention(keys, config);
  config.norm_eps = keys.real("norm_eps", 1e-5);
  config.dropout = keys.real("dropout", 0);
  config.flip_sin_to_cos = keys.boolean("flip_sin_to_cos", true);
  config.freq_shift = keys.real("freq_shift", 0);
  config.downsample_padding = keys.integer("downsample_padding", 1);
  refuse_variants(keys, config);
  std::ranges::copy(keys.finish(), std::back_inserter(warnings));
  try {
    check_unet(config);
  } catch (const Error& e) {
    throw Error(ExitCode::bad_input, "[net] {}: {}", file, e.what());
  }
  check_attention_size(config, file);
  return config;
}

Json unet_config_json(const UNetConfig& c) {
  const std::vector<bool> mirrored(c.attention.rbegin(), c.attention.rend());
  const Json size = c.height == c.width
                        ? json_integer(c.height)
                        : json_list({json_integer(c.height), json_integer(c.width)});
  return json_object({
      {"_class_name", json_string("UNet2DModel")},
      {"_diffusers_version", json_string(kDiffusersVersion)},
      {"act_fn", json_string("silu")},
      {"add_attention", json_bool(true)},
      // A missing key would mean 8.
      {"attention_head_dim",
       c.attention_head_dim == 0 ? Json{} : json_integer(c.attention_head_dim)},
      {"attn_norm_num_groups", {}},
      {"block_out_channels", channel_list(c.block_out_channels)},
      {"center_input_sample", json_bool(false)},
      {"class_embed_type", {}},
      {"down_block_types", block_types(c.attention, "Down")},
      {"downsample_padding", json_integer(c.downsample_padding)},
      {"downsample_type", json_string("conv")},
      {"dropout", json_real(c.dropout)},
      {"flip_sin_to_cos", json_bool(c.flip_sin_to_cos)},
      {"freq_shift", shift_json(c.freq_shift)},
      {"in_channels", json_integer(c.in_channels)},
      {"layers_per_block", json_integer(c.layers_per_block)},
      {"mid_block_scale_factor", json_integer(1)},
      {"mid_block_type", json_string("UNetMidBlock2D")},
      {"norm_eps", json_real(c.norm_eps)},
      {"norm_num_groups", json_integer(c.norm_num_groups)},
      {"num_class_embeds", {}},
      {"num_train_timesteps", {}},
      {"out_channels", json_integer(c.out_channels)},
      {"resnet_time_scale_shift", json_string("default")},
      {"sample_size", size},
      {"time_embedding_dim", {}},
      {"time_embedding_type", json_string("positional")},
      {"up_block_types", block_types(mirrored, "Up")},
      {"upsample_type", json_string("conv")},
  });
}

}  // namespace ddpm
