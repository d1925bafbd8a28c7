#include "ddpm/engine/cpu/gradient_sum.h"

#include <gtest/gtest.h>

namespace ddpm::cpu {
namespace {

const std::vector<ParamSpec> kSpecs = {{"w", {3}}};

std::unique_ptr<Params> slice(GradientSum& sum, float value) {
  auto params = sum.take();
  for (float& v : params->all()) v = value;
  return params;
}

// Values that float addition rounds differently in every order.
float value(int i) { return 1.0f + 1e-7f * static_cast<float>(i * i) + (i == 2 ? 1e6f : 0.0f); }

TEST(GradientSum, AddsPairsOfEqualSizeThenTheRestFromTheNewestBack) {
  ThreadPool pool(2);
  GradientSum sum(kSpecs, pool);
  for (int i = 0; i < 7; ++i) sum.add(slice(sum, value(i)));
  const float want =
      ((value(0) + value(1)) + (value(2) + value(3))) + ((value(4) + value(5)) + value(6));
  EXPECT_EQ(sum.peek().all()[0], want);
  const auto total = sum.finish();
  EXPECT_EQ(total->all()[2], want);
  EXPECT_EQ(sum.finish(), nullptr);
}

}  // namespace
}  // namespace ddpm::cpu
