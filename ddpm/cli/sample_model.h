// What `ddpm sample` draws from: a network, alone or guided.
#pragma once

#include <memory>
#include <vector>

#include "ddpm/base/thread_pool.h"
#include "ddpm/cli/sample_args.h"
#include "ddpm/cli/sample_state.h"
#include "ddpm/engine/engine.h"
#include "ddpm/net/classifier.h"

namespace ddpm::cli {

/// The models that the arguments name, checked against each other.
class SampleModel {
 public:
  /// Throws Error (usage) for labels or guidance that the models can't have.
  explicit SampleModel(const SampleArgs& args);

  const Model& model() const { return model_; }
  /// Image i is of class labels()[i % size]; empty: of none.
  const std::vector<int>& labels() const { return labels_; }
  const std::string& weights() const { return weights_; }

  /// Adds what the images depend on besides the plan.
  void identify(SampleIdentity& identity) const;

  /// For at most `batch` images at a time. It and `pool` must live as long as the denoiser.
  Denoiser& compile(int batch, ThreadPool& pool);

 private:
  void check_labels() const;
  void check_guidance() const;
  void check_weak() const;
  void read_labels();
  Denoiser& guided_network(int batch, ThreadPool& pool);
  Denoiser& network(const Model& model, int batch, ThreadPool& pool);
  Denoiser& own(std::unique_ptr<Denoiser> denoiser);

  SampleArgs args_;
  Model model_;
  std::unique_ptr<Model> weak_;             // --guide-with
  std::unique_ptr<Classifier> classifier_;  // --classifier
  std::string weights_;
  std::vector<int> labels_;
  std::vector<std::unique_ptr<Denoiser>> parts_;
  std::unique_ptr<VectorJacobian> gradient_;  // of the classifier
};

}  // namespace ddpm::cli
