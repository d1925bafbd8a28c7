#include <gtest/gtest.h>

#include "ddpm/engine/cpu/nets_for_test.h"
#include "ddpm/engine/cpu/passes.h"

namespace ddpm::cpu {
namespace {

TEST(DropDropout, LeavesNoRowAndTheSameBits) {
  for (const Graph& g : small_unets()) {
    Tape tape = tape_of(g);
    ASSERT_GT(count(tape, Op::dropout), 0);
    const Params params = random_params(g);
    const auto want = results_of(tape, params);
    drop_dropout(tape);
    EXPECT_EQ(count(tape, Op::dropout), 0);
    EXPECT_EQ(results_of(tape, params), want);
  }
}

TEST(DropDropout, FollowsAChainOfThem) {
  Graph g;
  const Value x = g.input({3, 4, 4});
  g.output = g.silu(g.dropout(g.dropout(x, 0.5), 0.25));
  Tape tape = tape_of(g);
  drop_dropout(tape);
  EXPECT_EQ(tape.order, (std::vector<Value>{x, g.output}));
  EXPECT_EQ(tape.graph.node(g.output).inputs, std::vector<Value>{x});
  EXPECT_EQ(tape.forward, 2);
}

TEST(DropDropout, KeepsOneThatIsTheOutput) {
  Graph g;
  g.output = g.dropout(g.input({3, 4, 4}), 0.5);
  Tape tape = tape_of(g);
  drop_dropout(tape);
  EXPECT_EQ(count(tape, Op::dropout), 1);
}

}  // namespace
}  // namespace ddpm::cpu
