// A small residual classifier as rows, and its folder: features for scores on small data, a
// gradient for guidance.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "ddpm/net/model.h"

namespace ddpm {

struct ClassifierConfig {
  int in_channels = 3, height = 32, width = 32;
  int num_classes = 10;
  std::vector<int> block_out_channels = {32, 64, 128};  // one a level, each half the size
  int layers_per_block = 1;                             // residual blocks
  int norm_num_groups = 8;
  double norm_eps = 1e-6;
  double dropout = 0;  // of the features
  /// Sees x_t and is told t: what guides a sampler (Dhariwal & Nichol 2021, Sec. 4). Else it sees
  /// clean images, and its time is not read.
  bool noisy = false;

  int features() const { return block_out_channels.back(); }
  bool operator==(const ClassifierConfig&) const = default;
};

/// What the graph puts out: logits {num_classes, 1, 1}; the vector before them {features, 1, 1};
/// or that vector, then the logits.
enum class ClassifierOutput { logits, features, both };

/// Throws Error that names every value that cannot be.
void check_classifier(const ClassifierConfig& config);

/// x {in_channels, h, w} in [-1, 1], and time when noisy. Its parameters are the same whatever the
/// output. Calls check_classifier.
Graph classifier(const ClassifierConfig& config,
                 ClassifierOutput output = ClassifierOutput::logits);

struct Classifier {
  ClassifierConfig config;
  Params params;
  std::vector<std::string> class_names;  // one a class, or none
  std::optional<Schedule> schedule;      // of x_t, when noisy
  std::filesystem::path folder;
  std::vector<std::string> warnings;  // the command line prints them

  Graph graph(ClassifierOutput output) const { return classifier(config, output); }
};

/// Where a classifier's folder keeps its weights.
inline constexpr const char* kClassifierWeights = "classifier/model.safetensors";

/// Whether the folder is a classifier's, by its config file.
bool is_classifier(const std::filesystem::path& folder);

/// Reads a folder that classifier_files() wrote; find_model() finds it by name. Throws Error
/// (bad_input).
Classifier load_classifier(const std::filesystem::path& folder);

/// classifier/config.json, the weights, ddpm.json, README.md; relative path -> bytes.
std::map<std::string, std::string> classifier_files(const Classifier& classifier,
                                                    WeightType type = WeightType::f32);

}  // namespace ddpm
