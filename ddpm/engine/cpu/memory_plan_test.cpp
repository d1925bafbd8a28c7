#include "ddpm/engine/cpu/memory_plan.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>

#include "ddpm/net/gradient.h"
#include "ddpm/net/unet.h"

namespace ddpm::cpu {
namespace {

bool overlap(const MemoryPlan& plan, const std::vector<Lifetime>& values, std::size_t a,
             std::size_t b) {
  return plan.offsets[a] < plan.offsets[b] + values[b].floats &&
         plan.offsets[b] < plan.offsets[a] + values[a].floats;
}

// The law: no two values that are alive in the same row share a float, and all lie in the arena.
void expect_valid(const std::vector<Lifetime>& values) {
  const MemoryPlan plan = plan_memory(values);
  for (std::size_t a = 0; a < values.size(); ++a) {
    ASSERT_LE(plan.offsets[a] + values[a].floats, plan.floats);
    ASSERT_EQ(plan.offsets[a] % 16, 0U);
    for (std::size_t b = 0; b < a; ++b) {
      const bool together = values[a].first <= values[b].last && values[b].first <= values[a].last;
      ASSERT_FALSE(together && overlap(plan, values, a, b)) << a << " and " << b;
    }
  }
}

RC_GTEST_PROP(MemoryPlan, NeverOverlapsValuesThatLiveTogether, ()) {
  const auto raw = *rc::gen::container<std::vector<std::tuple<int, int, int>>>(
      rc::gen::tuple(rc::gen::inRange(0, 9), rc::gen::inRange(0, 30), rc::gen::inRange(0, 12)));
  std::vector<Lifetime> values;
  for (const auto& [size, first, rows] : raw) {
    values.push_back({static_cast<std::size_t>(16 * size), first, first + rows});
  }
  expect_valid(values);
}

TEST(MemoryPlan, OfTheTrainingGraphIsValidAndReusesMemory) {
  const Graph g =
      unet({.height = 16, .width = 16, .block_out_channels = {32, 64}, .attention = {false, true}});
  const auto values = lifetimes(gradient(g, {}).graph, 4);
  expect_valid(values);
  std::size_t total = 0;
  for (const Lifetime& v : values) total += v.floats;
  EXPECT_LT(plan_memory(values).floats,
            total * 6 / 10);  // activations kept for the gradient are most of it
}

}  // namespace
}  // namespace ddpm::cpu
