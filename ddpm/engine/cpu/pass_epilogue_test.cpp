#include <gtest/gtest.h>

#include "ddpm/engine/cpu/nets_for_test.h"
#include "ddpm/engine/cpu/passes.h"

namespace ddpm::cpu {
namespace {

TEST(FuseEpilogues, LeavesNoSumOfAForwardPassAndTheSameBits) {
  for (const Graph& g : small_unets()) {
    for (const Profile profile : {Profile::f32, Profile::f32_direct}) {
      const Params params = random_params(g);
      Tape tape = tape_of(g);
      const auto want = results_of(tape, params, 2, profile);
      fuse_epilogues(tape);
      EXPECT_EQ(count(tape, Op::add), 0);
      EXPECT_EQ(results_of(tape, params, 2, profile), want);
    }
  }
}

TEST(FuseEpilogues, OfATrainingTapeLeaveTheSameBits) {
  for (const Graph& g : small_unets()) {
    for (const Profile profile : {Profile::f32, Profile::f32_direct}) {
      const Params params = random_params(g);
      Tape tape = tape_of(gradient(g, {}));
      const int sums = count(tape, Op::add);
      const auto want = results_of(tape, params, 2, profile);
      fuse_epilogues(tape);
      // Sums of two skips' slices and of norms' gradients stay only where no maker can take them.
      EXPECT_LT(count(tape, Op::add), sums / 4);
      EXPECT_EQ(results_of(tape, params, 2, profile), want);
    }
  }
}

struct Fixture {
  Graph g;
  Value x = g.input({16, 6, 6});
  Value conv = g.conv(x, "c", 16, 3, 1, 1, 1);
};

TEST(FuseEpilogues, LeaveAConvolutionWithAnotherReaderAlone) {
  Fixture f;
  f.g.output = f.g.silu(f.g.add(f.g.add(f.conv, f.x), f.conv));
  Tape tape = tape_of(f.g);
  const auto want = results_of(tape, random_params(f.g));
  fuse_epilogues(tape);
  EXPECT_EQ(count(tape, Op::add), 2);
  EXPECT_EQ(results_of(tape, random_params(f.g)), want);
}

TEST(FuseEpilogues, LeaveAConvolutionAddedToItselfAlone) {
  Fixture f;
  f.g.output = f.g.add(f.conv, f.conv);
  Tape tape = tape_of(f.g);
  fuse_epilogues(tape);
  EXPECT_EQ(count(tape, Op::add), 1);
}

TEST(FuseEpilogues, OneConvolutionTakesAVectorThenAResidual) {
  Fixture f;
  const Value vector = f.g.linear(f.g.time_embedding(8, false, 1), "v", 16);
  f.g.output = f.g.add(f.g.add(f.conv, vector), f.x);
  Tape tape = tape_of(f.g);
  const auto want = results_of(tape, random_params(f.g));
  fuse_epilogues(tape);
  const Node& fused = tape.graph.node(f.g.output);
  EXPECT_EQ(fused.op, Op::conv);
  EXPECT_EQ(fused.inputs, (std::vector<Value>{f.x, vector, f.x}));
  EXPECT_TRUE(fused.a.add_vector && fused.a.add_residual);
  EXPECT_EQ(results_of(tape, random_params(f.g)), want);
}

// The residual comes second: (conv + residual) + vector is another order of sums.
TEST(FuseEpilogues, AVectorAfterAResidualStaysASum) {
  Fixture f;
  const Value vector = f.g.linear(f.g.time_embedding(8, false, 1), "v", 16);
  f.g.output = f.g.add(f.g.add(f.conv, f.x), vector);
  Tape tape = tape_of(f.g);
  const auto want = results_of(tape, random_params(f.g));
  fuse_epilogues(tape);
  EXPECT_EQ(count(tape, Op::add), 1);
  EXPECT_EQ(results_of(tape, random_params(f.g)), want);
}

}  // namespace
}  // namespace ddpm::cpu
