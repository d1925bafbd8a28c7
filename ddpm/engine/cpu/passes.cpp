#include "ddpm/engine/cpu/passes.h"

namespace ddpm::cpu {

Tape inference_tape(Tape tape) {
  drop_dropout(tape);
  fuse_epilogues(tape);
  fuse_relus(tape);
  fuse_norms(tape);
  return tape;
}

std::string_view to_string(Recompute recompute) {
  return recompute == Recompute::none ? "none" : "blocks";
}

Tape training_tape(const GradientGraph& graph, Recompute recompute) {
  Tape tape = tape_of(graph);
  fuse_epilogues(tape);
  fuse_norms(tape);
  if (recompute == Recompute::blocks) recompute_blocks(tape);
  return tape;
}

}  // namespace ddpm::cpu
