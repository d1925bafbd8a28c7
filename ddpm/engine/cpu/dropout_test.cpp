#include <gtest/gtest.h>

#include "ddpm/engine/cpu/nets_for_test.h"

namespace ddpm::cpu {
namespace {

class DropoutKernels : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    if (!set_isa(GetParam())) GTEST_SKIP() << "this CPU has no " << GetParam();
  }
  void TearDown() override { set_isa(""); }
};
INSTANTIATE_TEST_SUITE_P(All, DropoutKernels, testing::Values("scalar", "avx2", "avx512", "neon"),
                         [](const auto& isa) { return std::string(isa.param); });

TEST_P(DropoutKernels, PhiloxGivesTheWordsOfTheStream) {
  const NoiseKey key{.seed = 0x123456789ABCDEF0,
                     .purpose = Purpose::dropout,
                     .image = 0xFEDCBA98765,
                     .step = 77,
                     .lane = 9};
  for (const std::uint32_t first : {0U, 5U, 0xFFFFFFF0U}) {  // the counter's word may wrap around
    for (const std::size_t blocks : {1, 7, 8, 33}) {
      std::vector<std::uint32_t> words(4 * (blocks + kPhiloxSlack));
      kernels().philox(philox_input(key, first), blocks, words.data());
      for (std::size_t b = 0; b < blocks; ++b) {
        const auto want = random_block(key, first + static_cast<std::uint32_t>(b));
        for (int w = 0; w < 4; ++w) ASSERT_EQ(words[4 * b + w], want[w]) << b << " " << w;
      }
    }
  }
}

// docs/format.md's order of the elements, for channels that no vector and no block divides, and for
// images of several tasks.
TEST_P(DropoutKernels, ElementsOfAnImageTakeTheWordsInOrder) {
  for (const Shape shape : {Shape{5, 9, 7}, Shape{19, 40, 40}, Shape{48, 2, 1}}) {
    Graph g;
    g.output = g.dropout(g.dropout(g.input(shape), 1e-9), 0.4);
    ThreadPool pool(2);
    Program program(g, 2, pool);
    const auto x = normals(2 * shape.size(), 1);
    write_planar(program.view(0), x);
    const std::vector<std::uint64_t> sample = {3, 1};
    program.run(0, 3, {.images = 2, .sample = sample, .seed = 6, .step = 2, .train = true});
    std::vector<float> y(x.size());
    read_planar(program.view(g.output), y);
    for (std::size_t n = 0; n < 2; ++n) {
      for (int p = 0; p < shape.pixels(); ++p) {
        for (int c = 0; c < shape.c; ++c) {
          const auto i = static_cast<std::uint32_t>(p * shape.c + c);
          const NoiseKey key{
              .seed = 6, .purpose = Purpose::dropout, .image = sample[n], .step = 2, .lane = 1};
          const bool kept =
              random_block(key, i / 4)[i % 4] >= static_cast<std::uint32_t>(0.4 * 0x1p32);
          const std::size_t at = n * shape.size() + std::size_t{1} * c * shape.pixels() + p;
          ASSERT_EQ(y[at], kept ? x[at] * static_cast<float>(1 / 0.6) : 0.0f) << at;
        }
      }
    }
  }
}

}  // namespace
}  // namespace ddpm::cpu
