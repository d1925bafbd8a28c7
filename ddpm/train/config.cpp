#include "ddpm/train/config.h"

#include "ddpm/train/config_keys.h"

namespace ddpm {

Shape RunConfig::shape() const {
  if (classifier) return {classifier->in_channels, classifier->height, classifier->width};
  return {net.in_channels, net.height, net.width};
}

namespace config {

bool applies(const RunConfig& run, std::string_view table, std::string_view key) {
  if (!run.classifier) return table != "classifier";
  if (table == "net") return false;
  if (table == "diffusion") {
    return run.classifier->noisy && (key == "schedule" || key == "time_sampler");
  }
  return !key.starts_with("sample_") && !key.starts_with("score_") && key != "keep_best";
}

}  // namespace config
}  // namespace ddpm
