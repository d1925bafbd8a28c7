// Times and labels that a network does not have are the caller's mistake, and named.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ddpm/base/error.h"
#include "ddpm/engine/cpu/cpu.h"
#include "ddpm/engine/cpu/nets_for_test.h"

namespace ddpm::cpu {
namespace {

using testing::HasSubstr;

// What one call with this time and label says; "" = it ran.
std::string complaint(const UNetConfig& config, double time, std::vector<int> label) {
  ThreadPool pool(1);
  const Graph g = unet(config);
  const Params params = random_params(g);
  const auto denoiser = make_denoiser(g, params, 1, pool);
  std::vector<float> x(denoiser->shape().size()), out(denoiser->out_shape().size());
  try {
    denoiser->predict(x, std::vector{time}, label, out);
    return "";
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ExitCode::usage);
    return e.what();
  }
}

UNetConfig tiny(int classes, bool null_class) {
  return {.height = 4,
          .width = 4,
          .block_out_channels = {4},
          .attention = {false},
          .layers_per_block = 1,
          .norm_num_groups = 2,
          .num_classes = classes,
          .null_class = null_class};
}

TEST(Labels, OfClassesThatTheNetworkLacksAreNamed) {
  EXPECT_EQ(complaint(tiny(3, false), 0, {2}), "");
  EXPECT_THAT(complaint(tiny(3, false), 0, {3}), HasSubstr("got class 3, expected 0..2"));
  EXPECT_THAT(complaint(tiny(3, true), 0, {3}), HasSubstr("got class 3, expected 0..2"));
  EXPECT_THAT(complaint(tiny(3, false), 0, {-2}), HasSubstr("got class -2"));
  EXPECT_THAT(complaint(tiny(0, false), 0, {0}), HasSubstr("the network has no classes"));
  EXPECT_EQ(complaint(tiny(0, false), 0, {kNoLabel}), "");
}

TEST(Labels, MayBeMissingOnlyWhereTheyWereDroppedInTraining) {
  EXPECT_EQ(complaint(tiny(3, true), 0, {}), "");
  EXPECT_EQ(complaint(tiny(3, true), 0, {kNoLabel}), "");
  for (const std::vector<int>& label : {std::vector<int>{}, {kNoLabel}}) {
    EXPECT_THAT(complaint(tiny(3, false), 0, label), HasSubstr("without dropping labels"));
  }
}

TEST(Times, OfATableAreWhole) {
  UNetConfig config = tiny(0, false);
  config.time_embedding_type = TimeEmbedding::learned;
  config.num_train_timesteps = 20;
  EXPECT_EQ(complaint(config, 19, {}), "");
  for (const double time : {20.0, 0.5, -1.0, std::nan("")}) {
    EXPECT_THAT(complaint(config, time, {}), HasSubstr("expected whole numbers 0..19")) << time;
  }
}

}  // namespace
}  // namespace ddpm::cpu
