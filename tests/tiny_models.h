// For tests: networks of 8 x 8 whose weights are random everywhere; the paper's start has zeros at
// its end.
#pragma once

#include <string>
#include <vector>

#include "ddpm/base/philox.h"
#include "ddpm/base/temp_folder.h"
#include "ddpm/net/classifier.h"

namespace ddpm::test {

inline const std::vector<std::string> kThreeNames = {"Bag", "Coat", "Ankle boot"};

inline void fill_random(Params& params, int seed) {
  fill_normal({static_cast<std::uint64_t>(seed), Purpose::init_weights}, params.all());
  for (float& value : params.all()) value *= 0.2f;
}

inline Schedule tiny_schedule() { return Schedule::linear(20, 0.01, 0.2); }

struct TinyModel {
  int seed = 1, classes = 0;
  bool null_class = false;
};

inline Model tiny_model(const TinyModel& what) {
  Model model;
  model.config = {.in_channels = 1,
                  .out_channels = 1,
                  .height = 8,
                  .width = 8,
                  .block_out_channels = {8, 8},
                  .attention = {false, false},
                  .layers_per_block = 1,
                  .norm_num_groups = 4};
  model.config.num_classes = what.classes;
  model.config.null_class = what.null_class;
  if (what.classes > 0) model.class_names = kThreeNames;
  model.graph = unet(model.config);
  model.params = Params(model.graph.params());
  fill_random(model.params, what.seed);
  model.schedule = tiny_schedule();
  return model;
}

struct TinyClassifier {
  int seed = 3, classes = 3, side = 8;
  bool noisy = true;
  Schedule schedule = tiny_schedule();  // where it is noisy
  std::vector<std::string> names = {};
};

inline Classifier tiny_classifier(const TinyClassifier& what) {
  Classifier c;
  c.config = {.in_channels = 1,
              .height = what.side,
              .width = what.side,
              .num_classes = what.classes,
              .block_out_channels = {8, 8},
              .norm_num_groups = 4,
              .noisy = what.noisy};
  c.class_names = what.names;
  if (what.noisy) c.schedule = what.schedule;
  c.params = Params(classifier(c.config).params());
  fill_random(c.params, what.seed);
  return c;
}

/// Writes model_files() or classifier_files() into `name`.
inline void write_files(const TempFolder& folder, const std::string& name,
                        const std::map<std::string, std::string>& files) {
  for (const auto& [file, bytes] : files) folder.write(name + "/" + file, bytes);
}

}  // namespace ddpm::test
