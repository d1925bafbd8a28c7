#include "ddpm/cli/sample_classifier.h"

#include <cmath>

#include "ddpm/base/error.h"
#include "ddpm/cli/info_words.h"
#include "ddpm/cli/options.h"

namespace ddpm::cli {
namespace {

// The classifier is told the times of the model's plans, which must mean the same x_t. Schedules
// of other programs' folders are made of float32: what they round is far below this.
bool same_process(const Schedule& a, const Schedule& b) {
  constexpr double kTol = 1e-4;  // of alpha_bar
  if (a.T() != b.T()) return false;
  for (int t = 1; t <= a.T(); ++t) {
    if (std::abs(a.alpha_bar(t) - b.alpha_bar(t)) > kTol) return false;
  }
  return true;
}

std::string shape_form(const Shape& s) { return fmt::format("{} x {} x {}", s.c, s.h, s.w); }

}  // namespace

Classifier open_guide(const std::string& name, const Model& model, const std::string& model_name) {
  Classifier guide = open_classifier(name);
  const ClassifierConfig& c = guide.config;
  if (!c.noisy) {
    throw Error(
        "[cli] sample: got --classifier {}, which was trained on clean images, expected one that "
        "knows x_t; try one trained with noisy = true in [classifier]",
        name);
  }
  const Shape mine = {c.in_channels, c.height, c.width}, its = image_shape(model);
  if (mine != its) {
    throw Error(
        "[cli] sample: got --classifier {} of images of {} (channels, height, width), expected "
        "those of {}, {}",
        name, shape_form(mine), model_name, shape_form(its));
  }
  if (!same_process(*guide.schedule, model.schedule)) {
    throw Error(
        "[cli] sample: got --classifier {}, whose noise schedule {} differs from that of {}, {}",
        name, schedule_name(*guide.schedule), model_name, schedule_name(model.schedule));
  }
  const bool counted_classes = model.config.conditional() && !model.config.class_timestep;
  if (counted_classes && c.num_classes != model.config.num_classes) {
    throw Error("[cli] sample: got --classifier {} of {} classes, expected those of {}, {}", name,
                c.num_classes, model_name, model.config.num_classes);
  }
  const bool both_named = !guide.class_names.empty() && !model.class_names.empty();
  if (both_named && guide.class_names != model.class_names) {
    throw Error(
        "[cli] sample: got --classifier {}, whose classes have other names than those of {}", name,
        model_name);
  }
  return guide;
}

}  // namespace ddpm::cli
