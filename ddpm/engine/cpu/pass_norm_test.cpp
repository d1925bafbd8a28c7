#include <gtest/gtest.h>

#include "ddpm/engine/cpu/nets_for_test.h"
#include "ddpm/engine/cpu/passes.h"

namespace ddpm::cpu {
namespace {

TEST(FuseNorms, LeavesOneRowANormAndTheSameBits) {
  for (const Graph& g : small_unets()) {
    const Params params = random_params(g);
    Tape tape = tape_of(g);
    const auto want = results_of(tape, params);
    fuse_norms(tape);
    EXPECT_EQ(count(tape, Op::norm_stats), 0);
    EXPECT_EQ(count(tape, Op::silu), 2);  // of the time embedding
    EXPECT_EQ(results_of(tape, params), want);
    EXPECT_EQ(results_of(tape, params, 1), want);  // other chunks of channels
  }
}

TEST(FuseNorms, LeavesOneRowANormsGradientAndTheSameBits) {
  for (const bool epilogues : {false, true}) {
    for (const Graph& g : small_unets()) {
      const Params params = random_params(g);
      Tape tape = tape_of(gradient(g, {}));
      const int norms = count(tape, Op::normalize);
      if (epilogues) fuse_epilogues(tape);
      const auto want = results_of(tape, params);
      fuse_norms(tape);
      EXPECT_EQ(count(tape, Op::normalize_sums), 0);
      EXPECT_EQ(count(tape, Op::normalize_dx), norms);
      EXPECT_EQ(count(tape, Op::normalize_dw), norms);
      EXPECT_LE(count(tape, Op::silu_dx), 2 + count(tape, Op::dropout));
      EXPECT_EQ(results_of(tape, params), want);
    }
  }
}

TEST(FuseNorms, KeepANormsOwnValueForItsOtherReaders) {
  Graph g;
  const Value norm = g.group_norm(g.input({16, 5, 3}), "n", 4, 1e-6);
  g.output = g.add(g.silu(norm), norm);
  const Params params = random_params(g);
  for (Tape tape : {tape_of(g), tape_of(gradient(g, {.params = true, .input = true}))}) {
    const auto want = results_of(tape, params);
    fuse_norms(tape);
    EXPECT_EQ(count(tape, Op::silu), 1);
    EXPECT_EQ(results_of(tape, params), want);
  }
}

TEST(FuseNorms, TakesOneSiluOfTwoInARow) {
  Graph g;
  g.output = g.silu(g.silu(g.group_norm(g.input({16, 5, 3}), "n", 4, 1e-6)));
  const Params params = random_params(g);
  for (Tape tape : {tape_of(g), tape_of(gradient(g, {.params = true, .input = true}))}) {
    const auto want = results_of(tape, params);
    fuse_norms(tape);
    EXPECT_EQ(count(tape, Op::silu), 1);
    EXPECT_EQ(results_of(tape, params), want);
  }
}

// Without a derivative by the norm's input there is no normalize_dx to compute the sums in.
TEST(FuseNorms, LeavesAGradientOfParametersAlone) {
  Graph g;
  g.output = g.silu(g.group_norm(g.input({16, 5, 3}), "n", 4, 1e-6));
  const Params params = random_params(g);
  Tape tape = tape_of(gradient(g, {.params = true, .input = false}));
  const auto want = results_of(tape, params);
  fuse_norms(tape);
  EXPECT_EQ(count(tape, Op::normalize_sums), 1);
  EXPECT_EQ(results_of(tape, params), want);
}

}  // namespace
}  // namespace ddpm::cpu
