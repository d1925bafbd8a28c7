#include "ddpm/engine/cpu/tape.h"

#include <algorithm>
#include <numeric>

namespace ddpm::cpu {

int Tape::step_of(Value row) const {
  return static_cast<int>(std::find(order.begin(), order.end(), row) - order.begin());
}

void Tape::remove(Value row) {
  const int step = step_of(row);
  if (step == steps()) return;
  order.erase(order.begin() + step);
  if (step < forward) --forward;
}

void Tape::insert(int step, Value row) {
  order.insert(order.begin() + step, row);
  if (step < forward) ++forward;
}

Tape tape_of(const Graph& forward) {
  Tape tape{.graph = forward, .order = std::vector<Value>(forward.nodes().size())};
  std::iota(tape.order.begin(), tape.order.end(), 0);
  tape.forward = tape.steps();
  return tape;
}

Tape tape_of(const GradientGraph& g) {
  Tape tape = tape_of(g.graph);
  tape.forward = g.forward_rows;
  tape.d_out = g.d_out;
  return tape;
}

std::vector<std::vector<Value>> readers(const Tape& tape) {
  std::vector<std::vector<Value>> result(tape.graph.nodes().size());
  for (const Value row : tape.order) {
    for (const Value input : tape.graph.node(row).inputs) {
      auto& rows = result[input];
      if (std::find(rows.begin(), rows.end(), row) == rows.end()) rows.push_back(row);
    }
  }
  if (tape.graph.output != kNoValue) result[tape.graph.output].push_back(kNoValue);
  return result;
}

}  // namespace ddpm::cpu
