// For tests: a model that needs no training.
#pragma once

#include <string>

#include "ddpm/base/philox.h"
#include "ddpm/base/temp_folder.h"
#include "ddpm/net/model.h"

namespace ddpm::test {

/// Of 8 x 8 images and 20 times. Its weights are random everywhere; the paper's start has zeros at
/// its end.
inline Model tiny_model(int seed, int classes = 0, bool null_class = false) {
  Model model;
  model.config = {.in_channels = 1,
                  .out_channels = 1,
                  .height = 8,
                  .width = 8,
                  .block_out_channels = {8, 8},
                  .attention = {false, false},
                  .layers_per_block = 1,
                  .norm_num_groups = 4};
  model.config.num_classes = classes;
  model.config.null_class = null_class;
  model.graph = unet(model.config);
  model.params = Params(model.graph.params());
  fill_normal({static_cast<std::uint64_t>(seed), Purpose::init_weights}, model.params.all());
  for (float& value : model.params.all()) value *= 0.2f;
  model.schedule = Schedule::linear(20, 0.01, 0.2);
  return model;
}

/// The model's folder as folder/name.
inline void write_model(const TempFolder& folder, const std::string& name, const Model& model) {
  for (const auto& [file, bytes] : model_files(model)) folder.write(name + "/" + file, bytes);
}

}  // namespace ddpm::test
