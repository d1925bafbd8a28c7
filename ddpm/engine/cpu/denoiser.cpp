#include "ddpm/base/error.h"
#include "ddpm/engine/cpu/cpu.h"
#include "ddpm/engine/cpu/program.h"

namespace ddpm::cpu {
namespace {

class CpuDenoiser : public Denoiser {
 public:
  CpuDenoiser(const Graph& graph, const Params& params, int max_batch, ThreadPool& pool,
              Profile profile)
      : program_(graph, max_batch, pool, profile), input_(program_.view(input_rows(graph).at(0))) {
    program_.pack(params);
  }

  void predict(std::span<const float> x, std::span<const double> time,
               std::span<float> out) override {
    const int images = static_cast<int>(time.size());
    DDPM_CHECK(x.size() == images * input_.shape.size() && out.size() == x.size());
    write_planar(input_, x);
    program_.run(0, program_.rows(), {.images = images, .time = time});
    read_planar(program_.view(program_.graph().output), out);
  }

  Shape shape() const override { return input_.shape; }
  int max_batch() const override { return program_.max_images(); }

 private:
  Program program_;
  View input_;
};

}  // namespace

std::unique_ptr<Denoiser> make_denoiser(const Graph& graph, const Params& params, int max_batch,
                                        ThreadPool& pool, Profile profile) {
  return std::make_unique<CpuDenoiser>(graph, params, max_batch, pool, profile);
}

}  // namespace ddpm::cpu
