// The determinism contract as a table: one hash for every instruction set, number of threads and
// batch size. `DDPM_TEST_PRINT=1` or a failure shows the table.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <set>
#include <string_view>

#include "ddpm/base/file.h"
#include "ddpm/engine/cpu/cpu.h"
#include "ddpm/engine/cpu/kernels.h"
#include "ddpm/engine/cpu/nets_for_test.h"

namespace ddpm::cpu {
namespace {

constexpr int kImages = 16, kSteps = 20;
constexpr const char* kIsas[] = {"scalar", "avx2", "avx512", "neon"};
constexpr int kThreads[] = {1, 2, 3, 7};

std::string hash_of(std::span<const float> values) {
  const std::string_view bytes(reinterpret_cast<const char*>(values.data()), values.size_bytes());
  return sha256_hex(bytes).substr(0, 12);
}

// Attention, a null class, modulated norms, dropout in training.
UNetConfig tested_net() {
  UNetConfig config = varied_configs(0.2).front();
  config.out_channels = config.in_channels;
  return config;
}

struct Images {
  std::vector<float> x;
  std::vector<double> time;
  std::vector<int> label;
  std::vector<std::uint64_t> sample;
};

Images images(const UNetConfig& config) {
  Images all;
  all.x = normals(std::size_t{kImages} * config.in_channels * config.height * config.width, 1);
  all.label = labels_for(config, kImages);
  for (int i = 0; i < kImages; ++i) {
    all.time.push_back(37.25 * i);
    all.sample.push_back(100 + i);
  }
  return all;
}

std::string forward(const UNetConfig& config, int threads, std::size_t batch) {
  ThreadPool pool(threads);
  const Graph g = unet(config);
  const Images all = images(config);
  const auto denoiser = make_denoiser(g, random_params(g), static_cast<int>(batch), pool);
  const std::size_t size = denoiser->shape().size();
  std::vector<float> out(all.x.size());
  for (std::size_t first = 0; first < kImages; first += batch) {
    const std::size_t n = std::min(batch, kImages - first);
    denoiser->predict(std::span(all.x).subspan(first * size, n * size),
                      std::span(all.time).subspan(first, n), std::span(all.label).subspan(first, n),
                      std::span(out).subspan(first * size, n * size));
  }
  return hash_of(out);
}

// Weights after kSteps towards an output equal to the input.
std::string training(const UNetConfig& config, int threads) {
  ThreadPool pool(threads);
  const Graph g = unet(config);
  const Images all = images(config);
  const std::vector<int> slices = {8, 8};
  const auto learner = make_learner(g, random_params(g), kImages, 2, pool);
  for (std::uint32_t step = 1; step <= kSteps; ++step) {
    const auto out = learner->forward({.x = all.x,
                                       .time = all.time,
                                       .label = all.label,
                                       .sample = all.sample,
                                       .slices = slices,
                                       .seed = 9,
                                       .step = step});
    std::vector<float> d_out(out.size());
    for (std::size_t i = 0; i < out.size(); ++i) d_out[i] = (out[i] - all.x[i]) * 0x1p-10f;
    learner->backward(d_out);
    learner->update({.learning_rate = 1e-3, .ema = 0.9, .step = step});
  }
  return hash_of(learner->params().all());
}

class HashMatrix : public testing::Test {
 protected:
  void TearDown() override {
    set_isa("");
    if (HasFailure() || std::getenv("DDPM_TEST_PRINT")) fmt::print("{}", table_);
  }

  void add(const std::string& row, const std::string& hash) {
    table_ += fmt::format("{:<40} {}\n", row, hash);
    hashes_.insert(hash);
  }

  std::string table_;
  std::set<std::string> hashes_;
};

TEST_F(HashMatrix, OutputsHaveOneHash) {
  for (const char* isa : kIsas) {
    if (!set_isa(isa)) continue;
    for (const int threads : kThreads) {
      for (const int batch : {1, 3, 16}) {
        add(fmt::format("{}, {} threads, batch {}", isa, threads, batch),
            forward(tested_net(), threads, batch));
      }
    }
  }
  EXPECT_EQ(hashes_.size(), 1U);
}

TEST_F(HashMatrix, WeightsAfterTrainingHaveOneHash) {
  for (const char* isa : kIsas) {
    if (!set_isa(isa)) continue;
    for (const int threads : kThreads) {
      add(fmt::format("{}, {} threads, {} steps", isa, threads, kSteps),
          training(tested_net(), threads));
    }
  }
  EXPECT_EQ(hashes_.size(), 1U);
}

}  // namespace
}  // namespace ddpm::cpu
