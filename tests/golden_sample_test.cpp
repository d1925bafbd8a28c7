// Whole runs against diffusers, from the folder to the last image.
// tests/golden/models/README.md says how the numbers were made.
#include <gtest/gtest.h>

#include <cmath>

#include "ddpm/engine/cpu/cpu.h"
#include "ddpm/engine/runner.h"
#include "ddpm/net/model.h"
#include "ddpm/net/safetensors.h"

namespace ddpm {
namespace {

// Draw k of the goldens, element i of the batch; x_T is draw 0.
float noise(int k, std::size_t i) {
  return static_cast<float>(1.2 * std::sin(1.7 * k + 0.9 * static_cast<double>(i) + 0.3));
}

struct SampleCase {
  const char* folder;
  const char* plan;
  std::vector<int> label;
};

class GoldenSample : public testing::TestWithParam<SampleCase> {};

// The advice of the goldens: float32 and float64 runs of the reference differ by up to 2.4e-5;
// 2e-4.
TEST_P(GoldenSample, EndsWhereDiffusersEnds) {
  const std::string folder =
      std::string(DDPM_SOURCE_DIR "/tests/golden/models/") + GetParam().folder;
  const Model model = load_model(folder);
  const TensorFile expected = value_or_throw(read_safetensors(folder + "/expected.safetensors"));
  const std::vector<float> want = to_floats(expected.tensors.at("sample_x0"));
  ThreadPool pool(2);
  auto denoiser = cpu::make_denoiser(model.graph, model.params, 3, pool, cpu::Profile::f32_direct);
  const std::size_t size = denoiser->shape().size();
  std::vector<float> x(want.size());
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = noise(0, i);
  const auto draw = [&](int image, int row, std::span<float> z) {
    for (std::size_t i = 0; i < size; ++i) z[i] = noise(row + 1, image * size + i);
  };
  run_plan(parse_plan(GetParam().plan, model.schedule, model.view), *denoiser, x, draw, {},
           GetParam().label);
  for (std::size_t i = 0; i < x.size(); ++i) EXPECT_NEAR(x[i], want[i], 2e-4) << i;
}

INSTANTIATE_TEST_SUITE_P(
    Folders, GoldenSample,
    testing::Values(SampleCase{"tiny-nested", "ddpm:10", {}},
                    SampleCase{"tiny-flat-old", "ddpm:5", {}},
                    SampleCase{"tiny-class-vpred", "ddim:5,spacing=trailing", {3, 0, 9}}));

}  // namespace
}  // namespace ddpm
