#include "ddpm/train/init_from.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <utility>

#include "ddpm/base/error.h"
#include "ddpm/train/run_model.h"

namespace ddpm {
namespace {

std::string shape_in_words(const Params& params, const std::string& name) {
  for (const ParamSpec& spec : params.specs()) {
    if (spec.name == name) return fmt::format("{}", spec.shape);
  }
  return "no such tensor";
}

void take(const std::string& name, const Params& from, Params& params) {
  for (const Params* side : {&std::as_const(params), &from}) {
    for (const ParamSpec& spec : side->specs()) {
      const std::string got = shape_in_words(from, spec.name);
      const std::string expected = shape_in_words(params, spec.name);
      if (got == expected) continue;
      throw Error(ExitCode::bad_input,
                  "[train] init_from: {}: got {} for {}, expected {}: the networks differ; try the "
                  "network of that model's config.json",
                  name, got, spec.name, expected);
    }
  }
  for (const ParamSpec& spec : params.specs()) {
    std::ranges::copy(from.tensor(spec.name), params.tensor(spec.name).begin());
  }
}

}  // namespace

void take_weights(const std::string& name, Model& model) {
  take(name, load_model(model_folder(name)).params, model.params);
}

void take_weights(const std::string& name, Classifier& classifier) {
  take(name, load_classifier(model_folder(name)).params, classifier.params);
}

}  // namespace ddpm
