// Prints a hash of what must have the same bits on every kind of processor: elementary functions,
// noise, a network's outputs, a sampling run, weights after three steps of training, the coder's
// tables, compressed files of every mode and what they decode to.
#include <fmt/format.h>

#include <cstdio>
#include <span>
#include <string>
#include <vector>

#include "ddpm/base/exact.h"
#include "ddpm/base/file.h"
#include "ddpm/base/philox.h"
#include "ddpm/codec/codec.h"
#include "ddpm/codec/gaussian_for_test.h"
#include "ddpm/engine/cpu/cpu.h"
#include "ddpm/engine/runner.h"
#include "ddpm/entropy/cdf_table.h"
#include "ddpm/net/unet.h"

namespace ddpm {
namespace {

template <class T>
void print(const char* what, const std::vector<T>& values) {
  const auto* bytes = reinterpret_cast<const char*>(values.data());
  const std::string hash = sha256_hex({bytes, values.size() * sizeof(T)});
  std::fputs(fmt::format("{} {}\n", what, hash.substr(0, 16)).c_str(), stdout);
}

std::vector<float> normals(std::size_t n, std::uint64_t stream) {
  std::vector<float> values(n);
  fill_normal({.seed = 5, .purpose = Purpose::eval_noise, .image = stream}, values);
  return values;
}

void print_functions() {
  std::vector<double> values;
  for (int i = 1; i <= 2000; ++i) {
    const double x = 0.013 * i;
    for (const double y : {exact::exp(-x), exact::log(x), exact::sin(37 * x), exact::cos(37 * x),
                           exact::log_normal_cdf(13 - x)}) {
      values.push_back(y);
    }
  }
  print("functions", values);
  std::vector<std::uint64_t> table;
  for (int z = -4000; z <= 4000; ++z) {
    table.push_back(CdfTable::normal().at(z * 10'007LL));
    table.push_back(CdfTable::logistic().at(z * 10'007LL));
  }
  print("coder", table);
  print("noise", normals(4000, 1));
}

// 16 x 16, attention at 8 x 8; the second as later papers have it.
std::vector<UNetConfig> nets() {
  UNetConfig paper{.height = 16,
                   .width = 16,
                   .block_out_channels = {16, 32},
                   .attention = {false, true},
                   .layers_per_block = 1,
                   .norm_num_groups = 8,
                   .dropout = 0.1};
  UNetConfig later = paper;
  later.resnet_time_scale_shift = TimeShift::scale_shift;
  later.attention_heads = 4;
  later.time_embedding_type = TimeEmbedding::fourier;
  later.num_classes = 3;
  later.null_class = true;
  later.downsample_type = later.upsample_type = Resample::resnet;
  return {paper, later};
}

// The usual start, but no layer so close to zero that what lies before it could hide.
Params params_of(const Graph& g) {
  Params params = init_unet(g, 7);
  for (const ParamSpec& spec : g.params()) {
    const bool hidden = spec.name.find("conv2.") != std::string::npos ||
                        spec.name.find("to_out.") != std::string::npos ||
                        spec.name.find("conv_out.") != std::string::npos;
    if (!hidden || !spec.name.ends_with("weight")) continue;
    for (float& w : params.tensor(spec.name)) w *= 0x1p16f;  // from 1e-5 to the others' size
  }
  return params;
}

void print_sampling(const Graph& g, const Params& params, ThreadPool& pool) {
  const auto denoiser = cpu::make_denoiser(g, params, 3, pool);
  std::vector<float> x(3 * denoiser->shape().size());
  start_noise(3, 0, denoiser->shape(), x);
  std::vector<float> out(x.size());
  denoiser->predict(x, std::vector<double>{0, 412.5, 999}, out);
  print("forward", out);
  run_plan(parse_plan("dpmpp:4,order=2", Schedule::linear(), {}), *denoiser, x, philox_noise(3, 0));
  print("sampling", x);
}

void print_training(const Graph& g, const Params& params, std::span<const int> label,
                    ThreadPool& pool) {
  const auto learner = cpu::make_learner(g, params, 4, 2, pool);
  const std::vector<float> x = normals(4 * g.shape(0).size(), 2);
  const std::vector<double> time = {1, 250, 600, 998};
  const std::vector<std::uint64_t> sample = {0, 1, 2, 3};
  const std::vector<int> slices = {2, 2};
  for (std::uint32_t step = 1; step <= 3; ++step) {
    const auto out = learner->forward({.x = x,
                                       .time = time,
                                       .label = label,
                                       .sample = sample,
                                       .slices = slices,
                                       .seed = 1,
                                       .step = step});
    std::vector<float> d_out(out.size());
    for (std::size_t i = 0; i < out.size(); ++i) d_out[i] = (out[i] - x[i]) * 0x1p-10f;
    learner->backward(d_out);
    learner->update({.learning_rate = 1e-3, .step = step});
  }
  const auto weights = learner->params().all();
  print("weights", std::vector<float>(weights.begin(), weights.end()));
}

// Tables as for Gaussian images: other images cost more, and are as exact.
void print_codec(const char* what, Shape shape, Denoiser* denoiser) {
  const Schedule schedule = Schedule::linear(200, 5e-4, 0.1);
  const GaussianImages source{.shape = shape};
  const CodecModel model = gaussian_model(source, schedule, {40, 40, 40});
  GaussianDenoiser exact(schedule, source);
  Predictor predictor(model, denoiser != nullptr ? *denoiser : exact);
  std::vector<Image> images(3, blank_image(shape.w, shape.h, 1));
  for (std::size_t i = 0; i < images.size(); ++i) images[i].pixels = source.draw(i);
  const std::pair<const char*, CodecMode> modes[] = {{"lossy", CodecMode::lossy},
                                                     {"progressive", CodecMode::progressive},
                                                     {"chain", CodecMode::chain},
                                                     {"lossless", CodecMode::lossless}};
  for (const auto& [name, mode] : modes) {
    const std::string bytes = compress(predictor, images, {.mode = mode});
    print(fmt::format("{}-{}", what, name).c_str(), std::vector<char>(bytes.begin(), bytes.end()));
    std::vector<std::uint8_t> pixels;
    for (const Image& image : value_or_throw(decompress(predictor, bytes)).images) {
      pixels.insert(pixels.end(), image.pixels.begin(), image.pixels.end());
    }
    print(fmt::format("{}-{}-pixels", what, name).c_str(), pixels);
  }
}

}  // namespace
}  // namespace ddpm

int main() {
  using namespace ddpm;
  print_functions();
  ThreadPool pool(2);
  for (const UNetConfig& config : nets()) {
    const Graph g = unet(config);
    const Params params = params_of(g);
    print_sampling(g, params, pool);
    const std::vector<int> label =
        config.conditional() ? std::vector{0, kNoLabel, 2, 1} : std::vector<int>();
    print_training(g, params, label, pool);
  }
  print_codec("codec", {1, 32, 32}, nullptr);
  UNetConfig gray = nets()[0];
  gray.in_channels = gray.out_channels = 1;
  const Graph g = unet(gray);
  const auto denoiser = cpu::make_denoiser(g, params_of(g), 3, pool);
  print_codec("codec-net", denoiser->shape(), denoiser.get());
}
