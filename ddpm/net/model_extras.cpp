// ddpm.json <-> what diffusers cannot name, and the model card.
#include <algorithm>
#include <iterator>

#include "ddpm/base/version.h"
#include "ddpm/net/json_writer.h"
#include "ddpm/net/key_reader.h"
#include "ddpm/net/model_parts.h"

namespace ddpm {
namespace {

// An older reader would misunderstand a file with keys that change the network.
constexpr int kPlainFormat = 1, kFormat = 2;

void read_prediction(KeyReader& keys, Extras& extras) {
  const Json* value = keys.find("prediction");
  if (value == nullptr) return;
  for (const Prediction p : {Prediction::mu, Prediction::score}) {
    if (*value == json_string(std::string(to_string(p)))) extras.prediction = p;
  }
  if (!extras.prediction) keys.refuse("prediction", value, "mu or score");
}

void read_variance(KeyReader& keys, Extras& extras) {
  const Json* value = keys.find("variance");
  if (value != nullptr) {
    for (const Variance v : {Variance::learned, Variance::optimal}) {
      if (*value == json_string(std::string(to_string(v)))) extras.variance = v;
    }
    if (!extras.variance) keys.refuse("variance", value, "learned or optimal");
  }
  extras.mean_eps_squared = keys.reals("mean_eps_squared", {});
  extras.eps_error = keys.reals("eps_error", {});
}

void read_eps_from(KeyReader& keys, Extras& extras) {
  const std::string word = keys.word("eps_from", "raw");
  if (word == "limited_x0") {
    extras.eps_from = EpsFrom::limited_x0;
  } else if (word != "raw") {
    keys.refuse("eps_from", keys.find("eps_from"), "raw or limited_x0");
  }
}

void read_net(KeyReader& keys, Extras& extras) {
  if (keys.find("null_class") != nullptr) extras.null_class = keys.integer("null_class", 0);
  extras.attention_heads = keys.integer("attention_heads", 0);
  extras.skip_rescale = keys.boolean("skip_rescale", false);
  extras.divide_by_time = keys.boolean("divide_by_time", true);
}

// Where UNet2DModel always does.
bool leaves_undivided(const UNetConfig& config) {
  return config.time_embedding_type == TimeEmbedding::fourier && !config.divide_by_time;
}

// What config.json cannot say of the network.
std::map<std::string, Json> net_json(const UNetConfig& config) {
  std::map<std::string, Json> members;
  if (config.null_class) members["null_class"] = json_integer(config.num_classes);
  if (config.attention_heads > 0) members["attention_heads"] = json_integer(config.attention_heads);
  if (config.skip_rescale) members["skip_rescale"] = json_bool(true);
  if (leaves_undivided(config)) members["divide_by_time"] = json_bool(false);
  return members;
}

// Heads of one width can be named there, however they are counted.
bool has_one_head_width(const UNetConfig& config) {
  const std::vector<int> widths = head_widths(config);
  return std::ranges::all_of(widths, [&](int width) { return width == widths.front(); });
}

// What UNet2DModel is not, or "".
std::string beyond_unet_2d(const UNetConfig& config) {
  if (config.skip_rescale) return "UNet2DModel rescales no residual sums but the middle's";
  if (config.attention_heads > 0 && !has_one_head_width(config)) {
    return "UNet2DModel has heads of one width at all levels";
  }
  if (!leaves_undivided(config)) return {};
  return "UNet2DModel divides its output by the time where the embedding is fourier";
}

}  // namespace

Extras read_extras(const Json& json, const std::string& file, Warnings& warnings) {
  KeyReader keys(json, file);
  Extras extras;
  const int format = keys.integer("format", 0);
  if (format < 1 || format > kFormat) {
    keys.refuse("format", keys.find("format"),
                fmt::format("1..{}, which ddpm {} reads; try a newer ddpm", kFormat, kVersion));
  }
  const int numerics = keys.integer("numerics", kNumerics);
  read_eps_from(keys, extras);
  read_prediction(keys, extras);
  read_variance(keys, extras);
  extras.schedule = keys.word("schedule", "");
  extras.class_names = keys.words("class_names", {});
  if (keys.find("height") != nullptr) extras.height = keys.integer("height", 0);
  if (keys.find("width") != nullptr) extras.width = keys.integer("width", 0);
  if (const Json* codec = keys.find("codec")) extras.codec = *codec;
  read_net(keys, extras);
  keys.ignore({"diffusers"});
  std::ranges::copy(keys.finish(), std::back_inserter(warnings));
  if (numerics > kNumerics) {
    warnings.push_back(
        fmt::format("{}: written with numerics {}, this is {}: samples may differ in the last bits",
                    file, numerics, kNumerics));
  }
  return extras;
}

Json extras_json(const Model& model) {
  const bool raw = model.view.eps_from == EpsFrom::raw;
  std::map<std::string, Json> members = {
      {"eps_from", json_string(raw ? "raw" : "limited_x0")},
      {"numerics", json_integer(kNumerics)},
  };
  members.merge(net_json(model.config));
  const bool plain = !members.contains("attention_heads") && !members.contains("skip_rescale") &&
                     !members.contains("divide_by_time");
  members["format"] = json_integer(plain ? kPlainFormat : kFormat);
  const Prediction prediction = model.view.prediction;
  if (prediction == Prediction::mu || prediction == Prediction::score) {
    members["prediction"] = json_string(std::string(to_string(prediction)));
  }
  const Variance variance = model.view.variance;
  if (variance == Variance::learned || variance == Variance::optimal) {
    members["variance"] = json_string(std::string(to_string(variance)));
  }
  if (!model.view.mean_eps_squared.empty()) {
    members["mean_eps_squared"] = json_list_of(model.view.mean_eps_squared, json_real);
  }
  if (!model.view.eps_error.empty())
    members["eps_error"] = json_list_of(model.view.eps_error, json_real);
  if (!diffusers_betas(model.schedule) && !model.schedule.spec().empty()) {
    members["schedule"] = json_string(model.schedule.spec());
  }
  if (!model.codec.is(Json::Kind::null)) members["codec"] = model.codec;
  if (!model.class_names.empty())
    members["class_names"] = json_list_of(model.class_names, json_string);
  const std::string why_not = why_not_diffusers(model);
  if (!why_not.empty()) members["diffusers"] = json_string("no model_index.json: " + why_not);
  return json_object(std::move(members));
}

std::string why_not_diffusers(const Model& model) {
  if (model.view.variance == Variance::learned) {
    return "diffusers takes a learned variance for the variance itself, not for its logarithm";
  }
  std::string beyond = beyond_unet_2d(model.config);
  if (!beyond.empty()) return beyond;
  const Prediction prediction = model.view.prediction;
  if (prediction != Prediction::mu && prediction != Prediction::score) return {};
  return fmt::format("no diffusers scheduler samples from prediction {}", to_string(prediction));
}

}  // namespace ddpm
