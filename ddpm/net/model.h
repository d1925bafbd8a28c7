// The model folder: a diffusers pipeline folder, plus ddpm.json for what diffusers cannot name.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "ddpm/diffusion/plan.h"
#include "ddpm/net/strict_json.h"
#include "ddpm/net/unet.h"

namespace ddpm {

/// All that sampling needs.
struct Model {
  UNetConfig config;
  Graph graph;
  Params params;
  Schedule schedule = Schedule::linear();
  ModelView view;
  Json codec;  // null, or ddpm.json's `codec`: what ddpm/codec measured of the model
  std::vector<std::string> class_names;  // in the order of their numbers; may be empty
  std::filesystem::path folder;
  std::vector<std::string>
      warnings;  // unknown config keys and the like; the command line prints them
};

/// Reads `folder` (nested or flat layout, current or old attention names, f32/f16/bf16 weights). A
/// config key or value that changes the result and is not supported is refused by name. Throws
/// Error (bad_input).
Model load_model(const std::filesystem::path& folder);

/// The same from memory: relative path -> bytes, with the names that model_files() gives. Throws
/// Error (bad_input).
Model load_model(const std::map<std::string, std::string_view>& files);

/// MODEL of the command line: a folder, or a name looked up in $DDPM_MODELS, the source tree's
/// models/, the installed share folder. Throws Error (bad_input) that lists where it looked.
std::filesystem::path find_model(const std::string& name);

/// The model folders in those places, by place and name.
std::vector<std::filesystem::path> known_models();

enum class WeightType { f32, f16 };

/// The files of a model folder, relative path -> bytes; `train` writes them into a checkpoint.
std::map<std::string, std::string> model_files(const Model& model,
                                               WeightType type = WeightType::f32);

}  // namespace ddpm
