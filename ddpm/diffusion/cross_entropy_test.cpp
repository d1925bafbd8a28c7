#include "ddpm/diffusion/cross_entropy.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "ddpm/base/error.h"

namespace ddpm {
namespace {

using Floats = std::vector<float>;

double loss_of(const Floats& logits, int label) {
  Floats unused(logits.size());
  return cross_entropy(logits, label, 1, unused);
}

TEST(CrossEntropy, IsMinusTheLogOfTheSoftmax) {
  EXPECT_NEAR(loss_of({0, 0, 0, 0}, 2), std::log(4.0), 1e-15);
  const Floats logits = {1.5F, -0.25F, 0.75F};
  const double sum = std::exp(1.5) + std::exp(-0.25) + std::exp(0.75);
  for (int i = 0; i < 3; ++i) {
    // Two roundings of exp and log an ulp each, of numbers below 4.
    EXPECT_NEAR(loss_of(logits, i), -std::log(std::exp(double{logits[i]}) / sum), 2e-15);
  }
}

// Float logits are stepped by 2^-10, so a step is exact; the central difference is off by h^2 / 6
// times a third derivative below 1, 1.6e-7, and the float of the derivative by 6e-8.
TEST(CrossEntropy, DerivativeIsTheNumericOneTimesTheScale) {
  const Floats logits = {1.5F, -0.25F, 0.75F, 4};
  constexpr float kStep = 1.0F / 1024;
  for (int label = 0; label < 4; ++label) {
    Floats d(4);
    cross_entropy(logits, label, -0.5, d);
    double sum = 0;
    for (int i = 0; i < 4; ++i) {
      Floats up = logits, down = logits;
      up[i] += kStep;
      down[i] -= kStep;
      const double numeric = (loss_of(up, label) - loss_of(down, label)) / (2 * kStep);
      EXPECT_NEAR(d[i], -0.5 * numeric, 3e-7);
      sum += d[i];
    }
    EXPECT_NEAR(sum, 0, 1e-7);  // adding a constant to all logits changes nothing
  }
}

TEST(CrossEntropy, IsFiniteHoweverFarApartTheLogits) {
  EXPECT_EQ(loss_of({1e30F, -1e30F}, 0), 0);
  EXPECT_FLOAT_EQ(static_cast<float>(loss_of({1e30F, -1e30F}, 1)), 2e30F);
  EXPECT_THROW(loss_of({1, 2}, 2), BugError);
  EXPECT_THROW(loss_of({1, 2}, -1), BugError);
}

TEST(Largest, IsTheFirstOfEqualOnes) {
  EXPECT_EQ(largest(Floats{1, 3, 2, 3}), 1);
  EXPECT_EQ(largest(Floats{5}), 0);
}

}  // namespace
}  // namespace ddpm
