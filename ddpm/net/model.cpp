#include "ddpm/net/model.h"

#include <algorithm>

#include "ddpm/base/file.h"
#include "ddpm/base/version.h"
#include "ddpm/diffusion/variance.h"
#include "ddpm/net/classifier.h"
#include "ddpm/net/json_writer.h"
#include "ddpm/net/key_reader.h"
#include "ddpm/net/model_parts.h"

namespace ddpm {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kMaxJson = 4 << 20;  // the index of a sharded model is the longest there is

bool is_folder(const fs::path& path) {
  std::error_code ignored;
  return fs::is_directory(path, ignored);
}

// Layout A has a folder a component; layout B (google/ddpm-*) keeps all in the root.
fs::path component(const fs::path& folder, const char* name) {
  return is_folder(folder / name) ? folder / name : folder;
}

void check_folder(const fs::path& folder) {
  if (is_classifier(folder)) {
    throw Error(ExitCode::bad_input,
                "[net] load_model: got {}, which holds a classifier, expected a diffusion model; "
                "try it as --classifier of ddpm sample or --features of ddpm metrics, or ddpm info",
                folder.string());
  }
  if (is_folder(folder)) return;
  throw Error(ExitCode::bad_input, "[net] load_model: got {}, which is {}, expected a model folder",
              folder.string(), is_there(folder) ? "no folder" : "not there");
}

// A pair ["diffusers", "UNet2DModel"] of model_index.json.
void check_component(KeyReader& keys, std::string_view key,
                     std::initializer_list<std::string_view> known) {
  const Json* pair = keys.find(key);
  if (pair == nullptr) return;
  const std::vector<std::string> words = keys.words(key, {});
  if (words.size() == 2 && std::ranges::find(known, words[1]) != known.end()) return;
  const Json got = words.size() == 2 ? json_string(words[1]) : *pair;
  keys.refuse(key, &got, fmt::format("{}", fmt::join(known, " or ")));
}

void check_index(const fs::path& file, Warnings& warnings) {
  if (!is_there(file)) return;
  const Json json = read_json(file);
  KeyReader keys(json, file.string());
  keys.only_words("_class_name", {"DDPMPipeline", "DDIMPipeline"});
  check_component(keys, "unet", {"UNet2DModel"});
  check_component(keys, "scheduler", {"DDPMScheduler", "DDIMScheduler"});
  std::ranges::copy(keys.finish(), std::back_inserter(warnings));
}

Extras extras_of(const fs::path& folder, Warnings& warnings) {
  const fs::path file = folder / "ddpm.json";
  return is_there(file) ? read_extras(read_json(file), file.string(), warnings) : Extras{};
}

// A learned variance has channels of its own, after those of the mean.
void check_channels(const UNetConfig& config, Variance variance, const std::string& file) {
  const int want = config.in_channels * (is_learned(variance) ? 2 : 1);
  if (config.out_channels == want) return;
  throw Error(ExitCode::bad_input,
              "[net] {}: out_channels: got {} with variance {}, expected {} for {} in_channels",
              file, config.out_channels, to_string(variance), want, config.in_channels);
}

// A JSON file and what errors call it.
struct Part {
  Json json;
  std::string name;
};

Part read_part(const fs::path& path) { return {read_json(path), path.string()}; }

std::string_view bytes_of(const std::map<std::string, std::string_view>& files,
                          const std::string& name) {
  const auto found = files.find(name);
  if (found != files.end()) return found->second;
  throw Error(ExitCode::bad_input, "[net] load_model: got {} files without {}, expected it",
              files.size(), name);
}

Part part_of(const std::map<std::string, std::string_view>& files, const std::string& name) {
  return {value_or_throw(parse_json(bytes_of(files, name), name)), name};
}

void check_class_names(const Model& model) {
  const std::size_t names = model.class_names.size();
  if (names == 0 || names == static_cast<std::size_t>(model.config.num_classes)) return;
  throw Error(ExitCode::bad_input, "[net] ddpm.json: class_names: got {}, expected {}", names,
              model.config.num_classes);
}

Model without_weights(const Part& config, const Part& scheduler, const Extras& extras,
                      Warnings warnings) {
  Model model;
  model.warnings = std::move(warnings);
  model.config = read_unet_config(config.json, config.name, extras, model.warnings);
  Process process = read_scheduler_config(scheduler.json, scheduler.name, extras, model.warnings);
  model.schedule = std::move(process.schedule);
  model.view = process.view;
  model.codec = extras.codec;
  model.class_names = extras.class_names;
  check_class_names(model);
  check_channels(model.config, model.view.variance, config.name);
  model.graph = unet(model.config);
  return model;
}

Json index_json() {
  const auto pair = [](const char* name) {
    return json_list({json_string("diffusers"), json_string(name)});
  };
  return json_object({{"_class_name", json_string("DDPMPipeline")},
                      {"_diffusers_version", json_string(kDiffusersVersion)},
                      {"scheduler", pair("DDPMScheduler")},
                      {"unet", pair("UNet2DModel")}});
}

std::string classes_of(const UNetConfig& c) {
  if (c.class_timestep) return ", told a class";
  if (c.num_classes == 0) return "";
  return fmt::format(", told one of {} classes{}", c.num_classes, c.null_class ? " or none" : "");
}

std::string model_card(const Model& model) {
  const std::string why_not = why_not_diffusers(model);
  const UNetConfig& c = model.config;
  return fmt::format(
      "---\n{}tags:\n- ddpm\n{}---\n\n"
      "# Denoising diffusion model, {}x{}, {}\n\n"
      "{} parameters, {} diffusion steps, predicts {}{}. Written by ddpm.cpp {}.\n\n"
      "    ddpm sample THIS_FOLDER -n 16 --plan ddim:50 -o samples.png\n\n{}\n",
      why_not.empty() ? "library_name: diffusers\n" : "",
      c.conditional() ? "" : "- unconditional-image-generation\n", c.height, c.width,
      c.in_channels == 1 ? "gray" : fmt::format("{} channels", c.in_channels),
      model.params.all().size(), model.schedule.T(), to_string(model.view.prediction),
      classes_of(c), kVersion,
      !why_not.empty()
          ? "Not a diffusers pipeline: " + why_not + "."
          : fmt::format("The folder is a diffusers pipeline: "
                        "`DDPMPipeline.from_pretrained(THIS_FOLDER)` loads it{}.",
                        c.conditional() ? ", but passes no labels to its `unet`" : ""));
}

}  // namespace

std::string encode_weights(const Params& params, WeightType type) {
  TensorFile file{.tensors = {}, .metadata = {{"format", "pt"}}};
  for (const ParamSpec& spec : params.specs()) {
    const auto make = type == WeightType::f16 ? f16_tensor : f32_tensor;
    file.tensors[spec.name] =
        make(params.tensor(spec.name), {spec.shape.begin(), spec.shape.end()});
  }
  return encode_safetensors(file);
}

bool is_there(const fs::path& path) {
  std::error_code ignored;
  return fs::symlink_status(path, ignored).type() != fs::file_type::not_found;
}

Json read_json(const fs::path& path) {
  const std::string text = value_or_throw(read_file(path, kMaxJson));
  return value_or_throw(parse_json(text, path.string()));
}

Model load_model(const fs::path& folder) {
  check_folder(folder);
  Warnings warnings;
  check_index(folder / "model_index.json", warnings);
  const Extras extras = extras_of(folder, warnings);
  const fs::path net = component(folder, "unet");
  const Part config = read_part(net / "config.json");
  const Part scheduler = read_part(component(folder, "scheduler") / "scheduler_config.json");
  Model model = without_weights(config, scheduler, extras, std::move(warnings));
  model.folder = folder;
  model.params = take_params(model.graph.params(), read_weights(net, model.warnings), net.string());
  return model;
}

Model load_model(const std::map<std::string, std::string_view>& files) {
  const std::string kWeights = "unet/diffusion_pytorch_model.safetensors";
  Warnings warnings;
  Extras extras;
  if (files.contains("ddpm.json")) {
    extras = read_extras(part_of(files, "ddpm.json").json, "ddpm.json", warnings);
  }
  Model model = without_weights(part_of(files, "unet/config.json"),
                                part_of(files, "scheduler/scheduler_config.json"), extras,
                                std::move(warnings));
  model.params =
      take_params(model.graph.params(),
                  value_or_throw(parse_safetensors(bytes_of(files, kWeights), kWeights)), kWeights);
  return model;
}

std::map<std::string, std::string> model_files(const Model& model, WeightType type) {
  std::map<std::string, std::string> files = {
      {"README.md", model_card(model)},
      {"ddpm.json", write_json(extras_json(model))},
      {"scheduler/scheduler_config.json",
       write_json(scheduler_config_json(model.schedule, model.view))},
      {"unet/config.json", write_json(unet_config_json(model.config))},
      {"unet/diffusion_pytorch_model.safetensors", encode_weights(model.params, type)},
  };
  if (why_not_diffusers(model).empty()) files["model_index.json"] = write_json(index_json());
  return files;
}

}  // namespace ddpm
