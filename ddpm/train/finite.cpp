#include "ddpm/train/finite.h"

#include <cmath>
#include <utility>

namespace ddpm {
namespace {

// x * 0 is 0 exactly when x is finite, and NaN stays NaN in a sum: no branch an element.
bool all_finite(std::span<const float> values) {
  float sum = 0;
  for (const float v : values) sum += v * 0.0F;
  return sum == 0;
}

}  // namespace

std::string first_not_finite(const Params& params) {
  if (all_finite(params.all())) return "";
  for (const ParamSpec& spec : params.specs()) {
    if (!all_finite(params.tensor(spec.name))) return spec.name;
  }
  return "";
}

std::string first_bad_tensor(Learner& learner, bool with_gradients) {
  const std::pair<const char*, const Params*> stored[] = {{"weight", &learner.params()},
                                                          {"first moment of", &learner.moment1()},
                                                          {"second moment of", &learner.moment2()},
                                                          {"average of", &learner.ema()}};
  for (const auto& [what, params] : stored) {
    if (const std::string name = first_not_finite(*params); !name.empty()) {
      return std::string(what) + " " + name;
    }
  }
  if (!with_gradients) return "";
  const std::string name = first_not_finite(learner.gradients());
  return name.empty() ? "" : "gradient of " + name;
}

double global_norm(const Params& params) {
  double sum = 0;
  for (const float v : params.all()) sum += static_cast<double>(v) * v;
  return std::sqrt(sum);
}

}  // namespace ddpm
