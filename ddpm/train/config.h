// A training run's configuration: what CONFIG.toml says, checked.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "ddpm/diffusion/prediction.h"
#include "ddpm/engine/cpu/cpu.h"
#include "ddpm/net/classifier.h"

namespace ddpm {

struct DataConfig {
  std::string path;   // DATA of design: open_dataset's forms
  std::string eval;   // held-out images; "" = none
  bool flip = false;  // mirror half of the images, left to right
  int shift = 0;      // move each by up to so many pixels, across and down

  bool operator==(const DataConfig&) const = default;
};

struct DiffusionConfig {
  std::string schedule = "linear:1000";
  Prediction prediction = Prediction::eps;
  Variance variance = Variance::fixed_large;  // learned ones double the network's outputs
  std::string loss = "simple";                // parse_loss's forms
  std::string time_sampler = "uniform";       // make_time_sampler's forms
  double label_dropout = 0;  // share of labels not told, so that guidance knows both

  bool operator==(const DiffusionConfig&) const = default;
};

struct TrainConfig {
  std::int64_t steps = 800'000;
  int batch = 128;
  int micro_batch = 0;  // images at a time, in whole slices; 0 = one slice
  cpu::Recompute recompute = cpu::Recompute::none;  // memory or time; the weights are the same
  double learning_rate = 2e-4;
  std::int64_t warmup = 5000;  // steps of linear warm-up
  std::int64_t decay = 0;      // last steps, over which the learning rate falls to zero; 0 = off
  double ema = 0.9999;         // decay; warm-up min(ema, (1 + n) / (10 + n))
  double clip = 1;             // global gradient norm; 0 = off
  std::int64_t save_every = 1000, sample_every = 1000, eval_every = 1000;
  int keep = 2;           // checkpoints kept
  int sample_count = 64;  // images in a sample grid
  std::string sample_plan = "ddim:50";
  int eval_count = 512;                      // held-out images in the loss at fixed t and noise
  std::int64_t score_every = 0;              // 0 = never
  std::string score_features = "inception";  // what a score is measured in
  std::int64_t score_count = 1000;           // samples in it
  std::string score_plan;                    // theirs; "" = sample_plan
  bool keep_best = false;                    // the checkpoint of the lowest score stays
  std::string init_from;                     // MODEL whose weights it begins with; "" = new ones
  std::uint64_t seed = 0;

  bool operator==(const TrainConfig&) const = default;
};

struct RunConfig {
  DataConfig data;
  UNetConfig net;
  std::optional<ClassifierConfig> classifier;  // trained instead of `net`, where there is one
  DiffusionConfig diffusion;
  TrainConfig train;

  /// Of the images.
  Shape shape() const;

  bool operator==(const RunConfig&) const = default;
};

/// Parses and checks TOML text; `overrides` are `a.b=value` from --set, applied after the file and
/// reported as such. Every mistake is found in one pass: the Error (usage) lists each as
/// `file:line:column: key: got, expected; nearest key`.
RunConfig parse_config(const std::string& text, const std::string& file,
                       const std::vector<std::string>& overrides = {});
RunConfig read_config(const std::filesystem::path& file,
                      const std::vector<std::string>& overrides = {});

/// TOML with every key: parse_config(config_text(c)) == c. This is what a run folder keeps.
std::string config_text(const RunConfig& config);

}  // namespace ddpm
