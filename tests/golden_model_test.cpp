// Whole networks against diffusers: tests/golden/models/README.md says how the numbers were made.
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>

#include "ddpm/engine/cpu/cpu.h"
#include "ddpm/net/model.h"
#include "ddpm/net/safetensors.h"

namespace ddpm {
namespace {

std::vector<int> labels_of(const TensorFile& file) {
  const auto found = file.tensors.find("class_labels");
  if (found == file.tensors.end()) return {};
  std::vector<int> labels;
  for (std::size_t i = 0; i < found->second.bytes.size(); i += 8) {
    std::int64_t label;
    std::memcpy(&label, found->second.bytes.data() + i, 8);
    labels.push_back(static_cast<int>(label));
  }
  return labels;
}

std::vector<double> doubles_of(const RawTensor& tensor) {
  std::vector<double> values(tensor.bytes.size() / 8);
  for (std::size_t i = 0; i < values.size(); ++i) {
    std::int64_t raw;
    std::memcpy(&raw, tensor.bytes.data() + 8 * i, 8);
    values[i] = tensor.dtype == DType::i64 ? static_cast<double>(raw) : std::bit_cast<double>(raw);
  }
  return values;
}

class GoldenModel : public testing::TestWithParam<const char*> {};

// float32 differs from the float64 reference by up to 2.5e-6 and its embedding by up to 1.5e-5
// (measured with the reference itself, whose outputs have an rms of 0.7 to 0.8): 2.4e-5 of an
// image's rms still tells every configuration key apart. Networks that divide by the time put out
// images a thousand times smaller than others.
TEST_P(GoldenModel, PutsOutWhatDiffusersPutsOut) {
  const std::string folder = std::string(DDPM_SOURCE_DIR "/tests/golden/models/") + GetParam();
  const Model model = load_model(folder);
  const TensorFile expected = value_or_throw(read_safetensors(folder + "/expected.safetensors"));
  const std::vector<float> x = to_floats(expected.tensors.at("x"));
  const std::vector<double> time = doubles_of(expected.tensors.at("t"));
  const std::vector<double> want = doubles_of(expected.tensors.at("out_f64"));
  ThreadPool pool(2);
  auto denoiser = cpu::make_denoiser(model.graph, model.params, 3, pool, cpu::Profile::f32_direct);
  std::vector<float> out(3 * denoiser->out_shape().size());
  denoiser->predict(x, time, labels_of(expected), out);
  ASSERT_EQ(want.size(), out.size());
  const std::size_t size = want.size() / 3;
  for (std::size_t first = 0; first < want.size(); first += size) {
    double squares = 0;
    for (std::size_t i = first; i < first + size; ++i) squares += want[i] * want[i];
    const double tolerance = 2.4e-5 * std::sqrt(squares / static_cast<double>(size));
    for (std::size_t i = first; i < first + size; ++i) EXPECT_NEAR(out[i], want[i], tolerance) << i;
  }
}

INSTANTIATE_TEST_SUITE_P(Folders, GoldenModel,
                         testing::Values("tiny-nested", "tiny-flat-old", "tiny-class-vpred",
                                         "net-fourier", "net-learned", "net-variance"),
                         [](const auto& folder) {
                           std::string name = folder.param;
                           for (char& c : name) c = c == '-' ? '_' : c;
                           return name;
                         });

}  // namespace
}  // namespace ddpm
