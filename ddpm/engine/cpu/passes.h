// The passes over a tape, in the order in which they are meant to run. None changes a bit of any
// result: they save memory traffic, memory and rows, never an operation on a value.
#pragma once

#include "ddpm/engine/cpu/cpu.h"
#include "ddpm/engine/cpu/tape.h"

namespace ddpm::cpu {

/// Dropout is the identity outside training: its readers read its input.
void drop_dropout(Tape& tape);

/// Rows that depend on time and label alone, moved to the front of the tape, after the inputs.
struct TimeRows {
  int steps = 0;              // the inputs' and theirs
  std::vector<Value> values;  // what later rows read of them; empty in a net without time
};
TimeRows hoist_time_rows(Tape& tape);

/// An add whose operand is a convolution, its data gradient or group norm's, and has no other
/// reader, becomes part of it (epilogue.h).
void fuse_epilogues(Tape& tape);

/// A ReLU whose operand is a convolution that nothing else reads becomes part of it.
void fuse_relus(Tape& tape);

/// Group norm's statistics, affine function and SiLU become one row; so do SiLU's gradient and the
/// two rows of the norm's. What lies between is never stored.
void fuse_norms(Tape& tape);

/// Gives up the inner activations of every residual block after the forward pass and makes them
/// again from the block's input when the backward pass comes to it. Runs after the other passes.
void recompute_blocks(Tape& tape);

/// All that inference wants but hoist_time_rows(), and all that training wants.
Tape inference_tape(const Graph& graph);
Tape training_tape(const GradientGraph& graph, Recompute recompute = Recompute::none);

}  // namespace ddpm::cpu
