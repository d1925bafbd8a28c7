#include "ddpm/net/graph.h"

#include <gtest/gtest.h>

#include "ddpm/base/error.h"

namespace ddpm {
namespace {

TEST(Graph, ReplaceTakesARowOfTheSameShapeThatReadsEarlierOnes) {
  Graph g;
  const Value x = g.input({3, 4, 4});
  const Value y = g.silu(x);
  const Value z = g.scale(y, 2);
  Node node = g.node(z);
  node.inputs = {x};
  g.replace(z, node);
  EXPECT_EQ(g.node(z).inputs, std::vector<Value>{x});
  node.inputs = {z};
  EXPECT_THROW(g.replace(y, node), BugError);
  node.inputs = {x};
  node.shape = {3, 2, 2};
  EXPECT_THROW(g.replace(y, node), BugError);
}

}  // namespace
}  // namespace ddpm
