#include <gtest/gtest.h>

#include "ddpm/engine/cpu/nets_for_test.h"
#include "ddpm/engine/cpu/passes.h"

namespace ddpm::cpu {
namespace {

TEST(RecomputeBlocks, LeavesTheSameBits) {
  for (const Graph& g : small_unets()) {
    const Params params = random_params(g);
    Tape tape = tape_of(gradient(g, {}));
    const auto want = results_of(tape, params);
    recompute_blocks(tape);
    EXPECT_EQ(results_of(tape, params), want) << "on rows as they are";
    EXPECT_EQ(results_of(training_tape(gradient(g, {}), Recompute::blocks), params), want);
  }
}

// A block keeps its sum; its norms' values, convolutions and dropout are made twice. The demo's
// kind of net, deep enough that the largest block is not most of it.
TEST(RecomputeBlocks, NeedsLessMemory) {
  const Graph g = unet({.in_channels = 1,
                        .out_channels = 1,
                        .height = 28,
                        .width = 28,
                        .block_out_channels = {32, 64, 128},
                        .attention = {false, true, false},
                        .norm_num_groups = 8});
  ThreadPool pool(1);
  const GradientGraph backward = gradient(g, {});
  const Program all(training_tape(backward), 2, pool);
  const Program blocks(training_tape(backward, Recompute::blocks), 2, pool);
  EXPECT_LT(blocks.arena_floats(), all.arena_floats() * 6 / 10);
  EXPECT_GT(blocks.steps(), all.steps());
}

// What a block makes for itself lives in the forward pass, in the backward pass, and not between.
TEST(RecomputeBlocks, KeepsNoInnerActivationFromTheForwardPass) {
  for (const Graph& g : small_unets()) {
    const Tape tape = training_tape(gradient(g, {}), Recompute::blocks);
    const auto values = lifetimes(tape, find_parts(tape), 1);
    for (int step = 0; step < tape.forward; ++step) {
      const Value row = tape.order[step];
      const Op op = g.node(row).op;
      if (op != Op::normalize && op != Op::silu && op != Op::dropout && op != Op::dot_tokens &&
          op != Op::softmax && op != Op::mix_tokens) {
        continue;
      }
      if (g.shape(row).pixels() == 1) continue;  // of the time
      for (const Steps& s : values[row].alive) {
        EXPECT_TRUE(s.last < tape.forward || s.first >= tape.forward) << row;
      }
    }
  }
}

TEST(RecomputeBlocks, LeavesAForwardTapeAlone) {
  Tape tape = tape_of(small_unets()[0]);
  const auto order = tape.order;
  recompute_blocks(tape);
  EXPECT_EQ(tape.order, order);
}

}  // namespace
}  // namespace ddpm::cpu
