// Classifier guidance of guided.h.
#include <algorithm>
#include <vector>

#include "ddpm/base/error.h"
#include "ddpm/diffusion/cross_entropy.h"
#include "ddpm/diffusion/plan_level.h"
#include "ddpm/engine/guided.h"

namespace ddpm {
namespace {

class ClassifierGuided : public Denoiser {
 public:
  ClassifierGuided(Denoiser& network, VectorJacobian& classifier, const Schedule& schedule,
                   Prediction prediction, double scale)
      : network_(network),
        classifier_(classifier),
        levels_(schedule),
        prediction_(prediction),
        scale_(scale),
        classes_(classifier.out_shape().c) {}

  void predict(std::span<const float> x, std::span<const double> time, std::span<const int> label,
               std::span<float> out) override {
    network_.predict(x, time, label, out);
    if (scale_ == 0 || label.empty()) return;
    gradient(x, time, label);
    const std::size_t size = shape().size(), stride = out_shape().size();
    for (std::size_t n = 0; n < time.size(); ++n) {
      const double factor = factor_at(time[n]);
      for (std::size_t i = 0; i < size; ++i) {
        float& value = out[n * stride + i];
        value = static_cast<float>(value + factor * d_x_[n * size + i]);
      }
    }
  }

  Shape shape() const override { return network_.shape(); }
  Shape out_shape() const override { return network_.out_shape(); }
  int max_batch() const override { return std::min(network_.max_batch(), classifier_.max_batch()); }

 private:
  // d_x_ = d log p(label | x) / d x; 0 for an image without a label.
  void gradient(std::span<const float> x, std::span<const double> time,
                std::span<const int> label) {
    const std::span<const float> logits = classifier_.forward(x, time, {});
    const auto classes = static_cast<std::size_t>(classes_);
    d_logits_.assign(logits.size(), 0.0f);
    for (std::size_t n = 0; n < time.size(); ++n) {
      if (label[n] == kNoLabel) continue;
      if (label[n] < 0 || label[n] >= classes_) {
        throw Error("[engine] classifier guidance: got class {}, expected 0..{}", label[n],
                    classes_ - 1);
      }
      // log p is minus the cross-entropy.
      cross_entropy(logits.subspan(n * classes, classes), label[n], /*scale=*/-1,
                    std::span(d_logits_).subspan(n * classes, classes));
    }
    d_x_.resize(x.size());
    classifier_.backward(d_logits_, d_x_);
  }

  // What the gradient is added to the output with. eps = e_x x + e_out out, so that a change of eps
  // by -noise scale g is one of out by that over e_out.
  double factor_at(double time) const {
    const Level level = levels_.at_time(time);
    if (level.t && levels_.schedule().alpha_bar(*level.t) == 0) return 0;
    return -level.noise * scale_ / eps_at(levels_, level, prediction_).out;
  }

  Denoiser& network_;
  VectorJacobian& classifier_;
  Levels levels_;
  Prediction prediction_;
  double scale_;
  int classes_;
  std::vector<float> d_logits_, d_x_;
};

}  // namespace

std::unique_ptr<Denoiser> make_classifier_guided(Denoiser& network, VectorJacobian& classifier,
                                                 const Schedule& schedule, Prediction prediction,
                                                 double scale) {
  const Shape a = network.shape(), b = classifier.shape();
  if (a != b) {
    throw Error(
        "[engine] classifier guidance: got a classifier of [{}, {}, {}] for images of [{}, {}, "
        "{}], expected one shape",
        b.c, b.h, b.w, a.c, a.h, a.w);
  }
  return std::make_unique<ClassifierGuided>(network, classifier, schedule, prediction, scale);
}

}  // namespace ddpm
