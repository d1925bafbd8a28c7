#include "ddpm/cli/sample_model.h"

#include <fmt/ranges.h>

#include "ddpm/base/error.h"
#include "ddpm/cli/labels.h"
#include "ddpm/cli/options.h"
#include "ddpm/cli/sample_classifier.h"
#include "ddpm/engine/cpu/cpu.h"
#include "ddpm/engine/guided.h"

namespace ddpm::cli {
namespace {

bool has_classes(const Model& model) { return model.config.conditional(); }

// Where labels are embedded as times are, any number is a class.
int classes_of(const Model& model) {
  return model.config.class_timestep ? 1'000'000 : model.config.num_classes;
}

}  // namespace

SampleModel::SampleModel(const SampleArgs& args)
    : args_(args), model_(open_model(args.model)), weights_(weights_hash(model_)) {
  if (!args.classifier.empty()) {
    classifier_ = std::make_unique<Classifier>(open_guide(args.classifier, model_, args.model));
  }
  check_labels();
  check_guidance();
  if (!args.label.empty()) read_labels();
  if (!args.guide_with.empty()) {
    weak_ = std::make_unique<Model>(open_model(args.guide_with));
    check_weak();
  }
}

// Whoever knows the classes says their number and names; both do where there is a classifier.
void SampleModel::read_labels() {
  const auto& names =
      classifier_ && model_.class_names.empty() ? classifier_->class_names : model_.class_names;
  const int classes = classifier_ ? classifier_->config.num_classes : classes_of(model_);
  labels_ = parse_labels(args_.label, classes, names);
}

void SampleModel::check_labels() const {
  const bool labelled = !args_.label.empty();
  if (classifier_ && !labelled) {
    throw Error(
        "[cli] sample: got --classifier {} without a class to guide to, expected --label; try "
        "--label all",
        args_.classifier);
  }
  if (labelled && !has_classes(model_) && !classifier_) {
    throw Error(
        "[cli] sample: got --label {} for {}, a model without classes; try without --label or "
        "with a --classifier",
        args_.label, args_.model);
  }
  if (args_.label == "all" && model_.config.class_timestep && !classifier_) {
    throw Error(
        "[cli] sample: got --label all for {}, whose classes are any numbers; try --label 0",
        args_.model);
  }
  const bool needs_none =
      !labelled || (args_.guidance_given && args_.guidance != 1 && args_.guide_with.empty());
  if (has_classes(model_) && needs_none && !model_.config.null_class) {
    throw Error(
        "[cli] sample: got {} for {}, which was trained with a class for every image; try --label "
        "all{}",
        labelled ? fmt::format("--guidance {}", args_.guidance) : "no --label", args_.model,
        labelled ? " without --guidance" : "");
  }
}

void SampleModel::check_guidance() const {
  const bool labelled = !args_.label.empty();
  if (args_.guidance_given && args_.guide_with.empty() && labelled && !has_classes(model_)) {
    throw Error(
        "[cli] sample: got --guidance {} for {}, a model without classes; try --classifier-scale",
        args_.guidance, args_.model);
  }
  if (args_.guidance_given && args_.guide_with.empty() && !labelled) {
    throw Error(
        "[cli] sample: got --guidance {} without a class to guide to, expected --label or "
        "--guide-with; try --label all",
        args_.guidance);
  }
  if (!args_.guide_with.empty() && !args_.guidance_given) {
    throw Error(
        "[cli] sample: got --guide-with {} and no weight, expected --guidance W; try --guidance 2",
        args_.guide_with);
  }
}

// A combination of two outputs means something where both mean the same of the same x_t.
void SampleModel::check_weak() const {
  const auto refuse = [&](const char* what) {
    throw Error("[cli] sample: got --guide-with {}, whose {} differs from that of {}",
                args_.guide_with, what, args_.model);
  };
  if (image_shape(*weak_) != image_shape(model_)) refuse("image size");
  if (weak_->view.prediction != model_.view.prediction) refuse("prediction");
  if (weak_->schedule.T() != model_.schedule.T()) refuse("number of times");
  for (int t = 1; t <= model_.schedule.T(); ++t) {
    if (weak_->schedule.alpha_bar(t) != model_.schedule.alpha_bar(t)) refuse("noise schedule");
  }
  if (has_classes(*weak_) && classes_of(*weak_) != classes_of(model_)) {
    refuse("number of classes");
  }
  if (has_classes(*weak_) && labels_.empty() && !weak_->config.null_class) refuse("need of labels");
}

void SampleModel::identify(SampleIdentity& identity) const {
  identity["weights"] = weights_;
  if (!labels_.empty()) identity["label"] = fmt::format("{}", fmt::join(labels_, ","));
  if (args_.guidance_given) identity["guidance"] = fmt::format("{}", args_.guidance);
  if (weak_) identity["guide-with"] = weights_hash(*weak_);
  if (classifier_) {
    identity["classifier"] = weights_hash(classifier_->params);
    identity["classifier-scale"] = fmt::format("{}", args_.classifier_scale);
  }
}

Denoiser& SampleModel::own(std::unique_ptr<Denoiser> denoiser) {
  parts_.push_back(std::move(denoiser));
  return *parts_.back();
}

// One without classes is not told the labels that guide it.
Denoiser& SampleModel::network(const Model& model, int batch, ThreadPool& pool) {
  Denoiser& made = own(cpu::make_denoiser(model.graph, model.params, batch, pool));
  return has_classes(model) ? made : own(make_guided(made, 0));
}

Denoiser& SampleModel::guided_network(int batch, ThreadPool& pool) {
  if (weak_) {
    Denoiser& strong = network(model_, batch, pool);
    Denoiser& weak = network(*weak_, batch, pool);
    return own(make_autoguided(strong, weak, args_.guidance));
  }
  if (!args_.guidance_given) return network(model_, batch, pool);
  const bool both = args_.guidance != 0 && args_.guidance != 1;
  return own(make_guided(network(model_, both ? 2 * batch : batch, pool), args_.guidance));
}

Denoiser& SampleModel::compile(int batch, ThreadPool& pool) {
  Denoiser& network = guided_network(batch, pool);
  if (!classifier_) return network;
  gradient_ = cpu::make_vector_jacobian(classifier_->graph(ClassifierOutput::logits),
                                        classifier_->params, batch, pool);
  return own(make_classifier_guided(network, *gradient_, model_.schedule, model_.view.prediction,
                                    args_.classifier_scale));
}

}  // namespace ddpm::cli
