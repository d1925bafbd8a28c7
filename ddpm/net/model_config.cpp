// unet/config.json -> UNetConfig, with the keys and class defaults of diffusers' UNet2DModel.
#include <fmt/ranges.h>

#include <algorithm>

#include "ddpm/net/json_writer.h"
#include "ddpm/net/key_reader.h"
#include "ddpm/net/model_parts.h"
#include "ddpm/net/problems.h"

namespace ddpm {
namespace {

using Words = std::vector<std::string>;

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
  for (const auto& [key, types] : {std::pair{"down_block_types", down}, {"up_block_types", up}}) {
    if (types.size() == config.block_out_channels.size()) continue;
    keys.refuse(key, keys.find(key),
                fmt::format("as many as block_out_channels, {}", config.block_out_channels.size()));
  }
  // Listed from the smallest level up.
  config.up_attention.assign(upwards.rbegin(), upwards.rend());
  if (config.up_attention == config.attention) config.up_attention.clear();
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

bool is_null(const Json* value) { return value != nullptr && value->is(Json::Kind::null); }

// A number above 0; null or a missing key is `fallback`.
int count_or(KeyReader& keys, std::string_view key, int fallback) {
  const Json* value = keys.find(key);
  if (value == nullptr || is_null(value)) return fallback;
  const int number = keys.integer(key, fallback);
  if (number < 1) keys.refuse(key, value, "null or a positive number");
  return number;
}

void read_attention(KeyReader& keys, const Extras& extras, UNetConfig& config) {
  // A missing key is not null: diffusers then takes heads of 8 channels.
  config.attention_head_dim =
      is_null(keys.find("attention_head_dim")) ? 0 : count_or(keys, "attention_head_dim", 8);
  config.attention_heads = extras.attention_heads;
  if (extras.attention_heads > 0) config.attention_head_dim = 0;
  config.norm_num_groups = keys.integer("norm_num_groups", 32);
  config.attn_norm_num_groups = count_or(keys, "attn_norm_num_groups", 0);
  // Two spellings of one net.
  const bool usual = config.resnet_time_scale_shift == TimeShift::add &&
                     config.attn_norm_num_groups == config.norm_num_groups;
  if (usual) config.attn_norm_num_groups = 0;
  config.add_attention = keys.boolean("add_attention", true);
}

void read_middle(KeyReader& keys, UNetConfig& config) {
  const Json* type = keys.find("mid_block_type");
  config.mid_block = !is_null(type);
  if (config.mid_block) keys.only_words("mid_block_type", {"UNetMidBlock2D"});
  config.mid_block_scale_factor = keys.real("mid_block_scale_factor", 1);
}

// The value whose word the key has; the first is what a missing key means.
template <class Enum>
Enum read_word(KeyReader& keys, std::string_view key, std::initializer_list<Enum> values) {
  const std::string word = keys.word(key, std::string(to_string(*values.begin())));
  std::vector<std::string_view> known;
  for (const Enum value : values) {
    if (word == to_string(value)) return value;
    known.push_back(to_string(value));
  }
  keys.refuse(key, keys.find(key), fmt::format("{}", fmt::join(known, " or ")));
  return *values.begin();
}

void read_time_embedding(KeyReader& keys, const Extras& extras, UNetConfig& config) {
  using enum TimeEmbedding;
  config.time_embedding_type =
      read_word(keys, "time_embedding_type", {positional, fourier, learned});
  config.divide_by_time = config.time_embedding_type == fourier && extras.divide_by_time;
  const std::int64_t usual =
      config.block_out_channels.empty() ? 0 : std::int64_t{4} * config.block_out_channels[0];
  config.time_embedding_dim = count_or(keys, "time_embedding_dim", 0);
  if (config.time_embedding_dim == usual) config.time_embedding_dim = 0;
  config.flip_sin_to_cos = keys.boolean("flip_sin_to_cos", true);
  config.freq_shift = keys.real("freq_shift", 0);
  if (config.time_embedding_type != learned) return keys.ignore({"num_train_timesteps"});
  config.num_train_timesteps = count_or(keys, "num_train_timesteps", 0);
  if (config.num_train_timesteps == 0) {
    keys.refuse("num_train_timesteps", keys.find("num_train_timesteps"),
                "a number with a learned time embedding");
  }
}

// num_class_embeds counts the class that stands for none; ddpm.json says whether there is one.
void read_classes(KeyReader& keys, const Extras& extras, UNetConfig& config) {
  const Json* type = keys.find("class_embed_type");
  const int rows = count_or(keys, "num_class_embeds", 0);
  if (type != nullptr && !is_null(type)) {
    config.class_timestep = *type == json_string("timestep");
    if (!config.class_timestep) keys.refuse("class_embed_type", type, "null or timestep");
    return;  // num_class_embeds is not read then
  }
  config.null_class = extras.null_class.has_value();
  config.num_classes = rows - (config.null_class ? 1 : 0);
  if (!config.null_class || (rows >= 2 && *extras.null_class == rows - 1)) return;
  keys.refuse("num_class_embeds", keys.find("num_class_embeds"),
              fmt::format("{}: null_class {} of ddpm.json is the last", *extras.null_class + 1LL,
                          *extras.null_class));
}

void read_blocks_inside(KeyReader& keys, const Extras& extras, UNetConfig& config) {
  config.layers_per_block = keys.integer("layers_per_block", 2);
  config.norm_eps = keys.real("norm_eps", 1e-5);
  config.dropout = keys.real("dropout", 0);
  config.downsample_padding = keys.integer("downsample_padding", 1);
  config.resnet_time_scale_shift =
      read_word(keys, "resnet_time_scale_shift", {TimeShift::add, TimeShift::scale_shift});
  config.downsample_type = read_word(keys, "downsample_type", {Resample::conv, Resample::resnet});
  config.upsample_type = read_word(keys, "upsample_type", {Resample::conv, Resample::resnet});
  config.skip_rescale = extras.skip_rescale;
  keys.only_words("act_fn", {"silu", "swish"});
}

// heads * pixels numbers a pixel are one value of the graph; its size must stay an int.
void check_attention_size(const UNetConfig& c, const std::string& file) {
  constexpr std::int64_t kMost = 1 << 26;
  for (std::size_t level = 0; level < c.attention.size(); ++level) {
    if (!c.attends(level)) continue;
    const std::int64_t pixels = std::int64_t{c.height >> level} * (c.width >> level);
    const std::int64_t heads = attention_heads(c, c.block_out_channels[level]).count;
    if (heads * pixels <= kMost) continue;
    throw Error(
        ExitCode::bad_input,
        "[net] {}: attention at level {}: got {} heads of {} pixels, expected at most {} in all",
        file, level, heads, pixels, kMost);
  }
}

}  // namespace

UNetConfig read_unet_config(const Json& json, const std::string& file, const Extras& extras,
                            Warnings& warnings) {
  KeyReader keys(json, file);
  keys.only_words("_class_name", {"UNet2DModel"});
  UNetConfig config;
  config.in_channels = keys.integer("in_channels", 3);
  config.out_channels = keys.integer("out_channels", 3);
  config.center_input_sample = keys.boolean("center_input_sample", false);
  read_size(keys, extras, config);
  read_blocks(keys, config);
  read_blocks_inside(keys, extras, config);
  read_attention(keys, extras, config);
  read_middle(keys, config);
  read_time_embedding(keys, extras, config);
  read_classes(keys, extras, config);
  std::ranges::copy(keys.finish(), std::back_inserter(warnings));
  as_bad_input(file, [&] { check_unet(config); });
  check_attention_size(config, file);
  return config;
}

}  // namespace ddpm
