// The parts that load_model and model_files are made of: each file of a model folder <-> what it
// says.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "ddpm/net/model.h"
#include "ddpm/net/safetensors.h"
#include "ddpm/net/strict_json.h"

namespace ddpm {

using Warnings = std::vector<std::string>;

/// The diffusers release whose files ours are compared with; it selects no behaviour there.
inline constexpr const char* kDiffusersVersion = "0.42.1";

/// ddpm.json: what diffusers cannot name. The defaults hold for a folder without it.
struct Extras {
  EpsFrom eps_from = EpsFrom::raw;       // as diffusers samples
  std::optional<Prediction> prediction;  // mu or score
  std::optional<Variance> variance;  // learned (a log-variance, which it is not there) or optimal
  std::vector<double> mean_eps_squared, eps_error;  // ModelView's, T numbers each or none
  std::vector<std::string> class_names;             // Model's
  std::string schedule;  // spec of a schedule that diffusers knows only as trained_betas
  Json codec;            // null, or kept as it is
  std::optional<int> height, width;  // for a config whose sample_size is null
  std::optional<int> null_class;     // the row of the class table for images without a label
  int attention_heads = 0;           // heads of every attention, whatever their width; 0 = not said
  bool skip_rescale = false;         // UNetConfig's
  bool divide_by_time = true;        // UNetConfig's, where the time embedding is fourier
};
Extras read_extras(const Json& json, const std::string& file, Warnings& warnings);
Json extras_json(const Model& model);

/// How diffusers' schedulers name a schedule, if they can: beta_schedule, beta_start, beta_end,
/// rescale_betas_zero_snr.
struct NamedBetas {
  std::string beta_schedule;
  double start = 1e-4, end = 0.02;
  bool zero_snr = false;
};
std::optional<NamedBetas> diffusers_betas(const Schedule& schedule);

/// Whether a diffusers pipeline can sample from it, or "" / why not.
std::string why_not_diffusers(const Model& model);

/// unet/config.json. A missing key means what it means to diffusers' UNet2DModel. Throws Error
/// (bad_input).
UNetConfig read_unet_config(const Json& json, const std::string& file, const Extras& extras,
                            Warnings& warnings);
Json unet_config_json(const UNetConfig& config);
/// Channels a head of each level that attends, from the largest level on.
std::vector<int> head_widths(const UNetConfig& config);

/// scheduler_config.json: the forward process, and how to sample.
struct Process {
  Schedule schedule;
  ModelView view;
};
Process read_scheduler_config(const Json& json, const std::string& file, const Extras& extras,
                              Warnings& warnings);
Json scheduler_config_json(const Schedule& schedule, const ModelView& view);

/// Takes the tensors that `specs` name, current or old attention names, any float type; refuses a
/// file with missing, extra or mismatched ones (Error, bad_input; the first 10 listed). Allocates
/// only what the file has.
Params take_params(std::vector<ParamSpec> specs, TensorFile file, const std::string& name);

/// The tensors of `params` as a safetensors file.
std::string encode_weights(const Params& params, WeightType type);

/// Reads the weights of a component folder: one file, or the shards of an index. Throws Error
/// (bad_input).
TensorFile read_weights(const std::filesystem::path& folder, Warnings& warnings);

/// Whether anything has the name, be it only a broken link: reading it then says what is wrong.
bool is_there(const std::filesystem::path& path);

/// A small JSON file. Throws Error (bad_input).
Json read_json(const std::filesystem::path& path);

}  // namespace ddpm
