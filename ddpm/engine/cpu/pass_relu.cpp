#include "ddpm/engine/cpu/passes.h"

namespace ddpm::cpu {

void fuse_relus(Tape& tape) {
  const std::vector<Value> order = tape.order;
  for (const Value row : order) {
    if (tape.graph.node(row).op != Op::relu) continue;
    const Value maker = tape.graph.node(row).inputs[0];
    Node fused = tape.graph.node(maker);
    const bool alone = readers(tape)[maker] == std::vector<Value>{row};
    if (fused.op != Op::conv || fused.a.relu || !alone) continue;
    fused.a.relu = true;
    tape.graph.replace(row, std::move(fused));
    tape.remove(maker);
  }
}

}  // namespace ddpm::cpu
