// Loads a model by name or folder and draws 16 images: the pixels of
// `ddpm sample MODEL -n 16 --plan ddim:20 --seed 7`.
#include <ddpm/engine/cpu/cpu.h>
#include <ddpm/engine/runner.h>
#include <ddpm/image/png.h>
#include <ddpm/net/model.h>

#include <iostream>

int main(int argc, char** argv) try {
  constexpr int kImages = 16;
  constexpr std::uint64_t kSeed = 7;
  const ddpm::Model model =
      ddpm::load_model(ddpm::find_model(argc > 1 ? argv[1] : "fashion-mnist"));
  const ddpm::Plan plan = ddpm::parse_plan("ddim:20", model.schedule, model.view);
  ddpm::ThreadPool pool(ddpm::ThreadPool::default_threads());
  const auto denoiser = ddpm::cpu::make_denoiser(model.graph, model.params, kImages, pool);

  const ddpm::Shape shape = denoiser->shape();
  std::vector<float> x(kImages * shape.size());  // [images, channels, height, width]
  ddpm::start_noise(kSeed, 0, shape, x);
  ddpm::run_plan(plan, *denoiser, x, ddpm::philox_noise(kSeed, 0));

  std::vector<ddpm::Image> images;
  for (int i = 0; i < kImages; ++i) {
    images.push_back(
        ddpm::image_from_floats(std::span(x).subspan(i * shape.size(), shape.size()), shape));
  }
  ddpm::write_png("samples.png", ddpm::image_grid(images, 4));
  std::cout << "samples.png\n";
} catch (const std::exception& error) {
  std::cerr << error.what() << '\n';
  return 1;
}
