#include "ddpm/engine/cpu/memory_plan.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>

#include "ddpm/engine/cpu/nets_for_test.h"
#include "ddpm/engine/cpu/passes.h"

namespace ddpm::cpu {
namespace {

bool overlap(const MemoryPlan& plan, const std::vector<Lifetime>& values, std::size_t a,
             std::size_t b) {
  return plan.offsets[a] < plan.offsets[b] + values[b].floats &&
         plan.offsets[b] < plan.offsets[a] + values[a].floats;
}

bool together(const Lifetime& a, const Lifetime& b) {
  for (const Steps& s : a.alive) {
    for (const Steps& t : b.alive) {
      if (std::max(s.first, t.first) <= std::min(s.last, t.last)) return true;
    }
  }
  return false;
}

// The law: no two values that are alive in the same row share a float, and all lie in the arena.
void expect_valid(const std::vector<Lifetime>& values) {
  const MemoryPlan plan = plan_memory(values);
  for (std::size_t a = 0; a < values.size(); ++a) {
    ASSERT_LE(plan.offsets[a] + values[a].floats, plan.floats);
    ASSERT_EQ(plan.offsets[a] % 16, 0U);
    for (std::size_t b = 0; b < a; ++b) {
      ASSERT_FALSE(together(values[a], values[b]) && overlap(plan, values, a, b))
          << a << " and " << b;
    }
  }
}

RC_GTEST_PROP(MemoryPlan, NeverOverlapsValuesThatLiveTogether, ()) {
  const auto raw = *rc::gen::container<std::vector<std::tuple<int, int, int>>>(
      rc::gen::tuple(rc::gen::inRange(0, 9), rc::gen::inRange(0, 30), rc::gen::inRange(0, 12)));
  std::vector<Lifetime> values;
  for (const auto& [size, first, rows] : raw) {
    values.push_back({static_cast<std::size_t>(16 * size), {{first, first + rows}}});
  }
  expect_valid(values);
}

std::vector<Tape> tapes() {
  const Graph g =
      unet({.height = 16, .width = 16, .block_out_channels = {32, 64}, .attention = {false, true}});
  const GradientGraph backward = gradient(g, {});
  return {tape_of(g), tape_of(backward), inference_tape(tape_of(g)), training_tape(backward),
          training_tape(backward, Recompute::blocks)};
}

TEST(MemoryPlan, OfEveryTapeIsValid) {
  for (const Tape& tape : tapes()) expect_valid(lifetimes(tape, find_parts(tape), 4));
}

TEST(MemoryPlan, OfTheTrainingTapeReusesMemory) {
  const Tape tape = tapes()[1];
  const auto values = lifetimes(tape, find_parts(tape), 4);
  std::size_t total = 0;
  for (const Lifetime& v : values) total += v.floats;
  EXPECT_LT(plan_memory(values).floats,
            total * 6 / 10);  // activations kept for the gradient are most of it
}

// What a step reads or makes is alive in it, in its own memory or in that of what it is a part of.
TEST(MemoryPlan, KeepsAliveWhatAStepNames) {
  for (const Tape& tape : tapes()) {
    const auto parts = find_parts(tape);
    const auto values = lifetimes(tape, parts, 1);
    const auto alive = [&](Value v, int step) {
      const Value owner = parts[v].whole == kNoValue ? v : parts[v].whole;
      const auto& lives = values[owner].alive;
      return std::any_of(lives.begin(), lives.end(),
                         [&](const Steps& s) { return s.first <= step && step <= s.last; });
    };
    for (int step = 0; step < tape.steps(); ++step) {
      const Node& node = tape.graph.node(tape.order[step]);
      ASSERT_TRUE(alive(tape.order[step], step));
      for (const Value input : node.inputs) ASSERT_TRUE(alive(input, step));
    }
    ASSERT_TRUE(alive(tape.graph.output, tape.forward));
  }
}

// No live value is made anew while a part of it, or the whole it is a part of, holds another.
TEST(MemoryPlan, PartsOfAWholeDoNotOverlap) {
  for (const Tape& tape : tapes()) {
    const auto parts = find_parts(tape);
    int found = 0;
    for (std::size_t a = 0; a < parts.size(); ++a) {
      if (parts[a].whole == kNoValue) continue;
      ++found;
      ASSERT_EQ(parts[parts[a].whole].whole, kNoValue);
      const Op op = tape.graph.node(static_cast<Value>(a)).op;
      const int end = parts[a].channel + tape.graph.shape(static_cast<Value>(a)).c;
      ASSERT_LE(end, tape.graph.shape(parts[a].whole).c);
      for (std::size_t b = 0; b < a; ++b) {
        if (parts[b].whole != parts[a].whole || op == Op::slice) continue;
        const int b_end = parts[b].channel + tape.graph.shape(static_cast<Value>(b)).c;
        ASSERT_TRUE(parts[a].channel >= b_end || parts[b].channel >= end) << a << " and " << b;
      }
    }
    EXPECT_GT(found, 0);
  }
}

struct Concat {
  Concat(int a_channels, int b_channels) {
    const Value x = g.input({16, 4, 4});
    a = g.conv(x, "a", a_channels, 1, 1, 0, 0);
    b = g.conv(x, "b", b_channels, 1, 1, 0, 0);
    g.output = g.concat(a, b);
    parts = find_parts(tape_of(g));
  }
  Graph g;
  Value a, b;
  std::vector<Part> parts;
};

TEST(FindParts, PlacesBothPartsWhereTheyBeginAtWholeVectors) {
  const Concat c(32, 24);
  EXPECT_EQ(c.parts[c.a].whole, c.g.output);
  EXPECT_EQ(c.parts[c.b].whole, c.g.output);
  EXPECT_EQ(c.parts[c.a].channel, 0);
  EXPECT_EQ(c.parts[c.b].channel, 32);
}

TEST(FindParts, LeavesPartsThatWouldShareAVectorToBeCopied) {
  const Concat c(24, 32);
  EXPECT_EQ(c.parts[c.a].whole, kNoValue);
  EXPECT_EQ(c.parts[c.b].whole, kNoValue);
}

TEST(FindParts, PlacesAValueOnce) {
  Graph g;
  const Value x = g.input({16, 4, 4});
  const Value y = g.silu(x);
  const Value first = g.concat(y, y);
  g.output = g.concat(first, y);
  const auto parts = find_parts(tape_of(g));
  EXPECT_EQ(parts[y].whole, g.output);  // through `first`, which lies in it
  EXPECT_EQ(parts[y].channel, 0);
  EXPECT_EQ(parts[first].whole, g.output);
  const Params none(g.params());
  const auto got = results_of(tape_of(g), none), silu = [&] {
    Graph only = g;
    only.output = y;
    return results_of(tape_of(only), none);
  }();
  for (std::size_t i = 0; i < got.size(); ++i) {
    const std::size_t image = i / (48 * 16), at = i % (16 * 16);
    ASSERT_EQ(got[i], silu[image * 16 * 16 + at]);
  }
}

}  // namespace
}  // namespace ddpm::cpu
