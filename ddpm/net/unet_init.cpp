#include <cmath>

#include "ddpm/base/philox.h"
#include "ddpm/net/unet.h"

namespace ddpm {
namespace {

bool ends_with(const std::string& name, std::string_view tail) {
  return name.size() >= tail.size() &&
         name.compare(name.size() - tail.size(), tail.size(), tail) == 0;
}

// The layers that start (almost) at zero, so that every block starts as the identity.
bool starts_at_zero(const std::string& name) {
  return ends_with(name, ".conv2.weight") || ends_with(name, ".to_out.0.weight") ||
         name == "conv_out.weight";
}

// Variance scaling, fan_avg, uniform (App. B's code): U(-limit, limit), limit = sqrt(3 scale /
// fan_avg).
void init_weight(const ParamSpec& spec, const NoiseKey& key, std::span<float> out) {
  const int area = spec.shape.size() == 4 ? spec.shape[2] * spec.shape[3] : 1;
  const double fan_average = 0.5 * (spec.shape[0] + spec.shape[1]) * area;
  const double scale = starts_at_zero(spec.name) ? 1e-10 : 1;
  const double limit = std::sqrt(3 * scale / fan_average);
  for (std::size_t i = 0; i < out.size(); ++i) {
    out[i] = static_cast<float>(limit * (2 * uniform(key, static_cast<std::uint32_t>(i)) - 1));
  }
}

// Of a table, or of Fourier frequencies.
bool is_embedding(const std::string& name) {
  return name == "time_proj.weight" || name == "class_embedding.weight";
}

void init_embedding(const ParamSpec& spec, const NoiseKey& key, std::span<float> out) {
  fill_normal(key, out);
  if (spec.shape.size() > 1) return;
  constexpr float kFourierScale = 16;
  for (float& w : out) w *= kFourierScale;
}

}  // namespace

Params init_unet(const Graph& graph, std::uint64_t seed) {
  Params params(graph.params());
  for (std::size_t i = 0; i < params.specs().size(); ++i) {
    const ParamSpec& spec = params.specs()[i];
    const NoiseKey key{.seed = seed, .purpose = Purpose::init_weights, .image = i};
    const std::span<float> values = params.tensor(spec.name);
    if (is_embedding(spec.name)) {
      init_embedding(spec, key, values);
    } else if (spec.shape.size() > 1) {
      init_weight(spec, key, values);
    } else if (ends_with(spec.name, ".weight")) {  // a norm's gain
      std::fill(values.begin(), values.end(), 1.0f);
    }
  }
  return params;
}

}  // namespace ddpm
