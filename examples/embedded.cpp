// The model is part of the program (ddpm_embed_model in CMakeLists.txt): no file is read. The
// pixels of `ddpm sample fashion-mnist -n 1 --plan ddim:20 --seed 7`.
#include <ddpm/engine/cpu/cpu.h>
#include <ddpm/engine/runner.h>
#include <ddpm/image/png.h>
#include <ddpm/net/model.h>
#include <ddpm_embedded/fashion_mnist.h>

#include <iostream>

int main() try {
  const ddpm::Model model = ddpm::load_model(ddpm::embedded::fashion_mnist());
  const ddpm::Plan plan = ddpm::parse_plan("ddim:20", model.schedule, model.view);
  ddpm::ThreadPool pool(1);
  const auto denoiser = ddpm::cpu::make_denoiser(model.graph, model.params, 1, pool);
  std::vector<float> x(denoiser->shape().size());
  ddpm::start_noise(7, 0, denoiser->shape(), x);
  ddpm::run_plan(plan, *denoiser, x, ddpm::philox_noise(7, 0));
  ddpm::write_png("embedded.png", ddpm::image_from_floats(x, denoiser->shape()));
  std::cout << "embedded.png\n";
} catch (const std::exception& error) {
  std::cerr << error.what() << '\n';
  return 1;
}
