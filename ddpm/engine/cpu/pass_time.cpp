#include <algorithm>

#include "ddpm/engine/cpu/passes.h"

namespace ddpm::cpu {
namespace {

// Of time and label; nothing that an image's own x goes into.
std::vector<bool> of_time_alone(const Graph& graph) {
  std::vector<bool> result;
  for (const Node& node : graph.nodes()) {
    const bool from_time =
        !node.inputs.empty() &&
        std::all_of(node.inputs.begin(), node.inputs.end(), [&](Value v) { return result[v]; });
    result.push_back(node.op == Op::time_embedding || node.op == Op::embedding || from_time);
  }
  return result;
}

}  // namespace

TimeRows hoist_time_rows(Tape& tape) {
  const std::vector<bool> hoisted = of_time_alone(tape.graph);
  // Inputs stay in front, so that their memory is theirs from the start.
  const auto rest = std::stable_partition(tape.order.begin(), tape.order.end(), [&](Value row) {
    return hoisted[row] || tape.graph.node(row).op == Op::input;
  });
  TimeRows rows{.steps = static_cast<int>(rest - tape.order.begin()), .values = {}};
  const auto all_readers = readers(tape);
  for (int step = 0; step < rows.steps; ++step) {
    const auto& of_row = all_readers[tape.order[step]];
    const bool read_later = std::any_of(of_row.begin(), of_row.end(), [&](Value reader) {
      return reader == kNoValue || !hoisted[reader];
    });
    if (read_later && hoisted[tape.order[step]]) rows.values.push_back(tape.order[step]);
  }
  return rows;
}

}  // namespace ddpm::cpu
