// The rows of a graph in the order in which they run: what the passes rewrite. A row keeps its
// number; a pass puts another row in its place, or leaves it out of the order because another does
// its work, or runs it twice because its value was given up in between.
#pragma once

#include <vector>

#include "ddpm/net/gradient.h"

namespace ddpm::cpu {

struct Tape {
  Graph graph;
  std::vector<Value> order;  // rows, step by step
  int forward = 0;           // steps of the forward pass; the backward pass follows
  Value d_out = kNoValue;    // as in GradientGraph

  int steps() const { return static_cast<int>(order.size()); }
  /// The first step that runs the row, or steps() when none does.
  int step_of(Value row) const;
  /// Leaves a row out.
  void remove(Value row);
  /// Runs a row again just before `step`.
  void insert(int step, Value row);
};

Tape tape_of(const Graph& forward);
Tape tape_of(const GradientGraph& g);

/// For each value, the rows of the order that read it, each once, in order. The graph's output has
/// one reader more, kNoValue: the caller.
std::vector<std::vector<Value>> readers(const Tape& tape);

}  // namespace ddpm::cpu
