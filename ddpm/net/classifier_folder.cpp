// A classifier's folder: classifier/config.json, classifier/model.safetensors, ddpm.json.
#include <algorithm>
#include <iterator>

#include "ddpm/base/version.h"
#include "ddpm/net/classifier.h"
#include "ddpm/net/json_writer.h"
#include "ddpm/net/key_reader.h"
#include "ddpm/net/model_parts.h"
#include "ddpm/net/problems.h"

namespace ddpm {
namespace {

namespace fs = std::filesystem;

constexpr const char* kConfig = "classifier/config.json";
constexpr const char* kClass = "ddpm.cpp classifier";
constexpr int kClassifierFormat = 1;  // raised when an older reader would misunderstand the file

Json config_json(const Classifier& classifier) {
  const ClassifierConfig& c = classifier.config;
  std::map<std::string, Json> members = {
      {"_class_name", json_string(kClass)},
      {"block_out_channels", json_list_of(c.block_out_channels, json_integer)},
      {"class_names", json_list_of(classifier.class_names, json_string)},
      {"dropout", json_real(c.dropout)},
      {"format", json_integer(kClassifierFormat)},
      {"height", json_integer(c.height)},
      {"in_channels", json_integer(c.in_channels)},
      {"layers_per_block", json_integer(c.layers_per_block)},
      {"noisy", json_bool(c.noisy)},
      {"norm_eps", json_real(c.norm_eps)},
      {"norm_num_groups", json_integer(c.norm_num_groups)},
      {"num_classes", json_integer(c.num_classes)},
      {"width", json_integer(c.width)},
  };
  if (classifier.schedule) members["schedule"] = json_string(classifier.schedule->spec());
  return json_object(std::move(members));
}

// Every key stands in the file: a network is not guessed.
ClassifierConfig read_config_keys(KeyReader& keys) {
  ClassifierConfig c;
  keys.only_words("_class_name", {kClass});
  const int format = keys.integer("format", 0);
  if (format < 1 || format > kClassifierFormat) {
    keys.refuse(
        "format", keys.find("format"),
        fmt::format("1..{}, which ddpm {} reads; try a newer ddpm", kClassifierFormat, kVersion));
  }
  c.in_channels = keys.integer("in_channels", 0);
  c.height = keys.integer("height", 0);
  c.width = keys.integer("width", 0);
  c.num_classes = keys.integer("num_classes", 0);
  c.block_out_channels = keys.integers("block_out_channels", {});
  c.layers_per_block = keys.integer("layers_per_block", 0);
  c.norm_num_groups = keys.integer("norm_num_groups", 0);
  c.norm_eps = keys.real("norm_eps", 0);
  c.dropout = keys.real("dropout", 0);
  c.noisy = keys.boolean("noisy", false);
  return c;
}

void read_names(KeyReader& keys, Classifier& classifier) {
  classifier.class_names = keys.words("class_names", {});
  const auto count = static_cast<int>(classifier.class_names.size());
  if (count != 0 && count != classifier.config.num_classes) {
    keys.refuse("class_names", keys.find("class_names"),
                fmt::format("none, or one a class, {}", classifier.config.num_classes));
  }
}

std::string readme(const Classifier& classifier) {
  const ClassifierConfig& c = classifier.config;
  return fmt::format(
      "# Classifier of {}x{} images, {} classes\n\n"
      "{} parameters, {} features. Written by ddpm.cpp {}. {}\n\n"
      "Not a diffusers pipeline: no model of diffusers is a classifier.\n",
      c.height, c.width, c.num_classes, classifier.params.all().size(), c.features(), kVersion,
      c.noisy ? "It reads noised images x_t with their time, to guide a sampler."
              : "It reads clean images; scores are computed in its features.");
}

}  // namespace

bool is_classifier(const fs::path& folder) {
  std::error_code none;
  return fs::is_regular_file(folder / kConfig, none);
}

Classifier load_classifier(const fs::path& folder) {
  if (!is_classifier(folder)) {
    throw Error(
        ExitCode::bad_input,
        "[net] classifier: got {}, which has no {}, expected a folder that ddpm train wrote "
        "from a configuration with [classifier]",
        folder.string(), kConfig);
  }
  Classifier result;
  result.folder = folder;
  const std::string file = (folder / kConfig).string();
  const Json json = read_json(file);
  KeyReader keys(json, file);
  result.config = read_config_keys(keys);
  read_names(keys, result);
  const std::string schedule = keys.word("schedule", "");
  if (result.config.noisy != !schedule.empty()) {
    keys.refuse("schedule", keys.find("schedule"), "a schedule when noisy, none when not");
  }
  std::ranges::copy(keys.finish(), std::back_inserter(result.warnings));
  const Graph graph = as_bad_input(file, [&] {
    if (!schedule.empty()) result.schedule = Schedule::parse(schedule);
    return classifier(result.config);
  });
  const std::string weights = (folder / kClassifierWeights).string();
  result.params = take_params(graph.params(), value_or_throw(read_safetensors(weights)), weights);
  return result;
}

std::map<std::string, std::string> classifier_files(const Classifier& classifier, WeightType type) {
  const Json extras = json_object({{"diffusers", json_string("no model_index.json: a classifier")},
                                   {"format", json_integer(kClassifierFormat)},
                                   {"kind", json_string("classifier")},
                                   {"numerics", json_integer(kNumerics)}});
  return {{"README.md", readme(classifier)},
          {"ddpm.json", write_json(extras)},
          {kConfig, write_json(config_json(classifier))},
          {kClassifierWeights, encode_weights(classifier.params, type)}};
}

}  // namespace ddpm
