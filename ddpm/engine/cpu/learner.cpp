#include <cmath>
#include <numeric>

#include "ddpm/base/error.h"
#include "ddpm/base/exact.h"
#include "ddpm/engine/cpu/conditions.h"
#include "ddpm/engine/cpu/cpu.h"
#include "ddpm/engine/cpu/gradient_sum.h"
#include "ddpm/engine/cpu/passes.h"
#include "ddpm/engine/cpu/program.h"
#include "ddpm/net/gradient.h"

namespace ddpm::cpu {
namespace {

class CpuLearner : public Learner {
 public:
  CpuLearner(const GradientGraph& g, const Params& params, int micro_batch, int max_slices,
             ThreadPool& pool, Profile profile, Recompute recompute)
      : pool_(pool),
        program_(training_tape(g, recompute), micro_batch, pool, profile),
        input_(program_.view(input_rows(g.graph).at(0))),
        d_out_(program_.view(g.d_out)),
        conditions_(g.graph, micro_batch),
        max_slices_(max_slices),
        weights_(params),
        ema_(params),
        moment1_(params.specs()),
        moment2_(params.specs()),
        sum_(params.specs(), pool) {
    params_changed();
  }

  std::span<const float> forward(const Batch& batch) override;
  void backward(std::span<const float> d_out) override;
  double update(const AdamStep& step) override;

  Params gradients() const override { return sum_.peek(); }
  Params& params() override { return weights_; }
  Params& ema() override { return ema_; }
  Params& moment1() override { return moment1_; }
  Params& moment2() override { return moment2_; }
  void params_changed() override { program_.pack(weights_); }

 private:
  double gradient_norm(const Params& gradient);
  void adam(const Params& gradient, const AdamStep& step, double clip);

  ThreadPool& pool_;
  Program program_;
  View input_, d_out_;
  Conditions conditions_;  // of the last forward
  int max_slices_;
  Params weights_, ema_, moment1_, moment2_;
  GradientSum sum_;
  std::vector<int> slices_;  // of the last forward
  std::vector<std::uint64_t> sample_;
  Run run_;
  std::vector<float> output_;
  // Kept for their memory: a step allocates nothing.
  std::vector<std::unique_ptr<Params>> gradients_;
  std::vector<Params*> pointers_;
  std::vector<double> squares_;
};

std::span<const float> CpuLearner::forward(const Batch& batch) {
  const std::size_t images = batch.time.size();
  DDPM_CHECK(static_cast<int>(batch.slices.size()) <= max_slices_);
  DDPM_CHECK(std::accumulate(batch.slices.begin(), batch.slices.end(), 0) ==
             static_cast<int>(images));
  DDPM_CHECK(batch.x.size() == images * input_.shape.size() && batch.sample.size() == images);
  slices_.assign(batch.slices.begin(), batch.slices.end());
  conditions_.set(batch.time, batch.label);
  sample_.assign(batch.sample.begin(), batch.sample.end());
  run_ = {.images = static_cast<int>(images),
          .time = conditions_.time(),
          .label = conditions_.label(),
          .sample = sample_,
          .seed = batch.seed,
          .step = batch.step,
          .train = batch.train,
          .slices = slices_,
          .gradients = {}};
  write_planar(input_, batch.x);
  program_.run(0, program_.tape().forward, run_);
  output_.resize(images * d_out_.shape.size());
  read_planar(program_.view(program_.graph().output), output_);
  return output_;
}

void CpuLearner::backward(std::span<const float> d_out) {
  DDPM_CHECK(d_out.size() == output_.size());
  gradients_.clear();
  pointers_.clear();
  for (std::size_t s = 0; s < slices_.size(); ++s) {
    gradients_.push_back(sum_.take());
    pointers_.push_back(gradients_.back().get());
  }
  run_.gradients = pointers_;
  write_planar(d_out_, d_out);
  program_.run(program_.tape().forward, program_.steps(), run_);
  for (auto& gradient : gradients_) sum_.add(std::move(gradient));
}

// Tensor by tensor, then over tensors in order, in double.
double CpuLearner::gradient_norm(const Params& gradient) {
  const auto& specs = gradient.specs();
  squares_.resize(specs.size());
  pool_.run(static_cast<int>(specs.size()), [&](int i, int) {
    const std::span<const float> g = gradient.tensor(specs[i].name);
    squares_[i] = kernels().norm2(g.data(), g.size());
  });
  return std::sqrt(std::accumulate(squares_.begin(), squares_.end(), 0.0));
}

double CpuLearner::update(const AdamStep& step) {
  auto gradient = sum_.finish();
  DDPM_CHECK(gradient != nullptr, "update() without backward()");
  const double norm = gradient_norm(*gradient);
  if (std::isfinite(norm)) {
    const double clip = step.clip > 0 ? std::min(1.0, step.clip / (norm + 1e-6)) : 1.0;
    adam(*gradient, step, clip);
    params_changed();
  }
  sum_.give_back(std::move(gradient));
  return norm;
}

void CpuLearner::adam(const Params& gradient, const AdamStep& step, double clip) {
  const auto t = static_cast<double>(step.step);
  const double correction1 = 1 - exact::pow(step.beta1, t),
               correction2 = 1 - exact::pow(step.beta2, t);
  constexpr std::size_t kChunk = 32'768;
  const std::size_t total = weights_.all().size();
  pool_.run(static_cast<int>((total + kChunk - 1) / kChunk), [&](int task, int) {
    const std::size_t first = task * kChunk;
    kernels().adam({.w = weights_.all().data() + first,
                    .m = moment1_.all().data() + first,
                    .v = moment2_.all().data() + first,
                    .ema = ema_.all().data() + first,
                    .g = gradient.all().data() + first,
                    .n = std::min(kChunk, total - first),
                    .clip = static_cast<float>(clip),
                    .beta1 = static_cast<float>(step.beta1),
                    .beta2 = static_cast<float>(step.beta2),
                    .rate = static_cast<float>(step.learning_rate / correction1),
                    .root_correction = static_cast<float>(std::sqrt(correction2)),
                    .epsilon = static_cast<float>(step.epsilon),
                    .ema_decay = static_cast<float>(step.ema)});
  });
}

}  // namespace

std::unique_ptr<Learner> make_learner(const Graph& graph, const Params& params, int micro_batch,
                                      int max_slices, ThreadPool& pool, Profile profile,
                                      Recompute recompute) {
  const GradientGraph g = gradient(graph, {.params = true, .input = false});
  return std::make_unique<CpuLearner>(g, params, micro_batch, max_slices, pool, profile, recompute);
}

}  // namespace ddpm::cpu
