#include <algorithm>

#include "ddpm/engine/cpu/passes.h"

namespace ddpm::cpu {

void drop_dropout(Tape& tape) {
  const std::vector<Value> order = tape.order;
  for (const Value row : order) {
    if (tape.graph.node(row).op != Op::dropout || row == tape.graph.output) continue;
    const Value x = tape.graph.node(row).inputs[0];
    const auto all_readers = readers(tape);
    for (const Value reader : all_readers[row]) {
      Node node = tape.graph.node(reader);
      std::replace(node.inputs.begin(), node.inputs.end(), row, x);
      tape.graph.replace(reader, std::move(node));
    }
    tape.remove(row);
  }
}

}  // namespace ddpm::cpu
