#include <algorithm>

#include "ddpm/base/error.h"
#include "ddpm/engine/cpu/conditions.h"
#include "ddpm/engine/cpu/cpu.h"
#include "ddpm/engine/cpu/passes.h"
#include "ddpm/engine/cpu/program.h"
#include "ddpm/engine/cpu/time_table.h"

namespace ddpm::cpu {
namespace {

// Images that go through the network together: more would no longer find their activations in the
// caches, and take more memory.
constexpr int kMostAtOnce = 16;

class CpuDenoiser : public Denoiser {
 public:
  CpuDenoiser(Tape tape, TimeRows time_rows, const Params& params, const Params& folded,
              int max_batch, ThreadPool& pool, Profile profile)
      : time_steps_(time_rows.steps),
        max_batch_(max_batch),
        program_(std::move(tape), std::min(max_batch, kMostAtOnce), pool, profile),
        time_table_(program_, std::move(time_rows)),
        conditions_(program_.graph(), program_.max_images()),
        input_(program_.view(input_rows(program_.graph()).at(0))),
        output_(program_.view(program_.graph().output)) {
    program_.pack(params, folded);
  }

  void predict(std::span<const float> x, std::span<const double> time, std::span<const int> label,
               std::span<float> out) override {
    const int images = static_cast<int>(time.size());
    DDPM_CHECK(images <= max_batch(), "{} images, at most {}", images, max_batch());
    DDPM_CHECK(x.size() == images * input_.shape.size());
    DDPM_CHECK(out.size() == images * out_shape().size());
    const std::size_t in = input_.shape.size(), outputs = out_shape().size();
    for (int begin = 0; begin < images; begin += kMostAtOnce) {
      const int n = std::min(kMostAtOnce, images - begin);
      run(x.subspan(begin * in, n * in), time.subspan(begin, n),
          label.empty() ? label : label.subspan(begin, n),
          out.subspan(begin * outputs, n * outputs));
    }
  }

  Shape shape() const override { return input_.shape; }
  Shape out_shape() const override { return program_.graph().shape(program_.graph().output); }
  int max_batch() const override { return max_batch_; }

 private:
  void run(std::span<const float> x, std::span<const double> time, std::span<const int> label,
           std::span<float> out) {
    conditions_.set(time, label);
    write_planar(input_, x);
    time_table_.write(conditions_.time(), conditions_.label());
    program_.run(time_steps_, program_.steps(),
                 {.images = static_cast<int>(time.size()),
                  .time = conditions_.time(),
                  .label = conditions_.label()});
    read_planar(output_, out);
  }

  int time_steps_;
  int max_batch_;
  Program program_;
  TimeTable time_table_;
  Conditions conditions_;
  View input_, output_;
};

}  // namespace

std::unique_ptr<Denoiser> make_denoiser(const Graph& graph, const Params& params, int max_batch,
                                        ThreadPool& pool, Profile profile, int numerics) {
  constexpr int kUnfolded = 2;
  DDPM_CHECK(numerics == kUnfolded || numerics == kNumerics, "numerics {}", numerics);
  Tape tape = tape_of(graph);
  Params folded;
  if (profile == Profile::f32 && numerics != kUnfolded) {
    folded = folded_params(fold_attention(tape), params, pool);
  }
  tape = inference_tape(std::move(tape));
  TimeRows time_rows = hoist_time_rows(tape);
  return std::make_unique<CpuDenoiser>(std::move(tape), std::move(time_rows), params, folded,
                                       max_batch, pool, profile);
}

}  // namespace ddpm::cpu
