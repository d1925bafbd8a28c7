#include "ddpm/base/error.h"
#include "ddpm/engine/cpu/conditions.h"
#include "ddpm/engine/cpu/cpu.h"
#include "ddpm/engine/cpu/passes.h"
#include "ddpm/engine/cpu/program.h"
#include "ddpm/net/gradient.h"

namespace ddpm::cpu {
namespace {

class CpuVectorJacobian : public VectorJacobian {
 public:
  CpuVectorJacobian(const GradientGraph& g, const Params& params, int max_batch, ThreadPool& pool,
                    Profile profile)
      : program_(training_tape(g, Recompute::none), max_batch, pool, profile),
        input_(program_.view(input_rows(program_.graph()).at(0))),
        output_(program_.view(program_.graph().output)),
        d_out_(program_.view(g.d_out)),
        d_input_(program_.view(g.d_input)),
        conditions_(g.graph, max_batch) {
    program_.pack(params);
  }

  std::span<const float> forward(std::span<const float> x, std::span<const double> time,
                                 std::span<const int> label) override {
    DDPM_CHECK(static_cast<int>(time.size()) <= max_batch());
    conditions_.set(time, label);
    DDPM_CHECK(x.size() == time.size() * input_.shape.size());
    x_.assign(x.begin(), x.end());
    out_.resize(time.size() * output_.shape.size());
    run_forward();
    read_planar(output_, out_);
    return out_;
  }

  void backward(std::span<const float> v, std::span<float> d_x) override {
    DDPM_CHECK(v.size() == out_.size() && d_x.size() == conditions_.images() * input_.shape.size());
    if (!fresh_) run_forward();
    fresh_ = false;
    write_planar(d_out_, v);
    program_.run(program_.tape().forward, program_.steps(), run());
    read_planar(d_input_, d_x);
  }

  Shape shape() const override { return input_.shape; }
  Shape out_shape() const override { return output_.shape; }
  int max_batch() const override { return program_.max_images(); }

 private:
  // The backward pass writes over activations as soon as it has read them.
  void run_forward() {
    write_planar(input_, x_);
    program_.run(0, program_.tape().forward, run());
    fresh_ = true;
  }

  Run run() const {
    return {
        .images = conditions_.images(), .time = conditions_.time(), .label = conditions_.label()};
  }

  Program program_;
  View input_, output_, d_out_, d_input_;
  Conditions conditions_;  // of the last forward
  std::vector<float> x_, out_;
  bool fresh_ = false;  // whether the last forward's activations are still there
};

}  // namespace

std::unique_ptr<VectorJacobian> make_vector_jacobian(const Graph& graph, const Params& params,
                                                     int max_batch, ThreadPool& pool,
                                                     Profile profile) {
  const GradientGraph g = gradient(graph, {.params = false, .input = true});
  return std::make_unique<CpuVectorJacobian>(g, params, max_batch, pool, profile);
}

}  // namespace ddpm::cpu
