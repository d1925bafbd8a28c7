#include "ddpm/net/params.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ddpm/base/error.h"

namespace ddpm {
namespace {

using testing::Each;

Params three_tensors() {
  return Params({{"b.weight", {2, 3}}, {"a.bias", {4}}, {"empty", {0, 7}}, {"c", {1, 1, 3, 3}}});
}

TEST(Params, KeepTheOrderOfTheirSpecsInOneBufferOfZeros) {
  const Params params = three_tensors();
  EXPECT_EQ(params.all().size(), 6u + 4 + 0 + 9);
  EXPECT_EQ(params.offset("b.weight"), 0u);
  EXPECT_EQ(params.offset("a.bias"), 6u);
  EXPECT_EQ(params.offset("c"), 10u);
  EXPECT_EQ(params.tensor("empty").size(), 0u);
  EXPECT_THAT(params.all(), Each(0.0f));
}

TEST(Params, TensorsAreViewsOfTheBuffer) {
  Params params = three_tensors();
  params.tensor("a.bias")[3] = 5;
  EXPECT_EQ(params.all()[9], 5);
  params.all()[10] = 7;
  EXPECT_EQ(std::as_const(params).tensor("c")[0], 7);
  EXPECT_EQ(params.tensor("c").size(), 9u);
}

TEST(Params, UnknownAndRepeatedNamesAreBugs) {
  Params params = three_tensors();
  EXPECT_TRUE(params.has("c"));
  EXPECT_FALSE(params.has("d"));
  EXPECT_THROW(params.tensor("d"), BugError);
  EXPECT_THROW(params.offset(""), BugError);
  EXPECT_THROW(Params({{"a", {1}}, {"a", {2}}}), BugError);
}

}  // namespace
}  // namespace ddpm
