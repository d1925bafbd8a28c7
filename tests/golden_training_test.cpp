// Three training steps against torch: tests/golden/training/README.md says how the numbers were
// made and what float32 costs.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "ddpm/base/thread_pool.h"
#include "ddpm/diffusion/forward.h"
#include "ddpm/diffusion/loss.h"
#include "ddpm/engine/cpu/cpu.h"
#include "ddpm/net/model.h"
#include "ddpm/net/safetensors.h"

namespace ddpm {
namespace {

constexpr int kImages = 3;
constexpr int kTimes[3][kImages] = {{3, 250, 871}, {999, 40, 500}, {0, 620, 130}};  // 0-based
constexpr double kLosses[3] = {1.2452879339153298, 0.6531705403584899, 0.6320461726711869};
constexpr double kNorms[3] = {5.3824589101870215, 2.9180361970207582, 2.1615582234652737};

class Training {
 public:
  Training()
      : model_(load_model(DDPM_SOURCE_DIR "/tests/golden/models/tiny-nested")),
        pool_(2),
        size_(model_.graph.shape(0).size()),
        learner(cpu::make_learner(model_.graph, model_.params, kImages, 1, pool_,
                                  cpu::Profile::f32_direct)) {}

  // Forward and backward of step s; returns the mean loss.
  double gradients_of(int s) {
    make_inputs(s);
    std::vector<double> time;
    for (const int t : kTimes[s]) time.push_back(t);
    const std::vector<std::uint64_t> sample = {0, 1, 2};
    const std::vector<int> slices = {kImages};
    const auto out =
        learner->forward({.x = x_t_, .time = time, .sample = sample, .slices = slices});
    std::vector<float> d_out(out.size());
    double loss = 0;
    for (int n = 0; n < kImages; ++n) {
      loss += simple_loss(of(eps_, n), out.subspan(n * size_, size_), 1.0 / kImages,
                          std::span(d_out).subspan(n * size_, size_)) /
              kImages;
    }
    learner->backward(d_out);
    return loss;
  }

 private:
  std::span<const float> of(const std::vector<float>& v, int n) const {
    return std::span(v).subspan(n * size_, size_);
  }

  void make_inputs(int s) {
    std::vector<float> x0(kImages * size_);
    eps_.resize(x0.size());
    x_t_.resize(x0.size());
    for (std::size_t k = 0; k < x0.size(); ++k) {
      const auto i = static_cast<double>(k);
      x0[k] = static_cast<float>(std::sin(0.21 * i + 0.5 + s));
      eps_[k] =
          static_cast<float>(1.1 * std::sin(0.53 * i + 0.2 + 0.7 * s) + 0.3 * std::cos(1.9 * i));
    }
    for (int n = 0; n < kImages; ++n) {
      q_sample(model_.schedule, kTimes[s][n] + 1, of(x0, n), of(eps_, n),
               std::span(x_t_).subspan(n * size_, size_));
    }
  }

  Model model_;
  ThreadPool pool_;
  std::size_t size_;
  std::vector<float> eps_, x_t_;

 public:
  std::unique_ptr<Learner> learner;
};

std::vector<double> f64_of(const RawTensor& tensor) {
  std::vector<double> values(tensor.bytes.size() / sizeof(double));
  std::memcpy(values.data(), tensor.bytes.data(), tensor.bytes.size());
  return values;
}

// The golden keeps up to 32 entries of a tensor: all, or those at floor(j (n - 1) / 31).
void expect_samples(const Params& got, const TensorFile& golden, const std::string& what,
                    double tolerance, double noise_tolerance) {
  for (const ParamSpec& spec : got.specs()) {
    const auto t = got.tensor(spec.name);
    const auto want = f64_of(golden.tensors.at(what + "." + spec.name));
    const bool noise = spec.name.find(".to_k.bias") != std::string::npos;
    for (std::size_t j = 0; j < want.size(); ++j) {
      const std::size_t i = t.size() <= 32 ? j : j * (t.size() - 1) / 31;
      EXPECT_NEAR(t[i], want[j], noise ? noise_tolerance : tolerance)
          << what << " " << spec.name << "[" << i << "]";
    }
  }
}

TEST(GoldenTraining, LossGradientsAdamStepsAndEmaAreTorchs) {
  const TensorFile golden = value_or_throw(
      read_safetensors(DDPM_SOURCE_DIR "/tests/golden/training/tiny-nested.safetensors"));
  Training training;
  for (int s = 0; s < 3; ++s) {
    const double loss = training.gradients_of(s);
    EXPECT_NEAR(loss, kLosses[s], 1e-5 * kLosses[s]) << "step " << s;
    if (s == 0) expect_samples(training.learner->gradients(), golden, "grad", 5e-6, 5e-6);
    const double norm =
        training.learner->update({.learning_rate = 1e-3, .clip = 1, .ema = 0.9, .step = s + 1});
    EXPECT_NEAR(norm, kNorms[s], 1e-5 * kNorms[s]) << "step " << s;
  }
  // to_k's bias has gradient 0 but for rounding, which Adam turns into steps of up to the learning
  // rate.
  expect_samples(training.learner->params(), golden, "param", 3e-5, 3e-3);
  expect_samples(training.learner->ema(), golden, "ema", 1e-5, 3e-3);
}

}  // namespace
}  // namespace ddpm
