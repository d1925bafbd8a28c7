// Reverse-mode differentiation of a graph, as rows of the same kind.
#pragma once

#include "ddpm/net/graph.h"

namespace ddpm {

struct Wrt {
  bool params = true;
  bool input = false;  // slot 0
};

/// The forward rows unchanged (rows 0 .. forward_rows - 1), then the vector-Jacobian product.
struct GradientGraph {
  Graph graph;
  int forward_rows = 0;
  Value d_out = kNoValue;    // input row, slot 1: the loss's derivative by the output
  Value d_input = kNoValue;  // by input slot 0, when asked for
};

/// Slot number of d_out.
inline constexpr int kGradientSlot = 1;

GradientGraph gradient(const Graph& forward, Wrt wrt);

}  // namespace ddpm
