// The passes over a tape, in the order in which they are meant to run. None but fold_attention()
// changes a bit of any result: they save memory traffic, memory and rows, never an operation on a
// value.
#pragma once

#include "ddpm/engine/cpu/cpu.h"
#include "ddpm/engine/cpu/tape.h"
#include "ddpm/net/params.h"

namespace ddpm::cpu {

/// Names of parameters of an attention of one head; query and out now stand for two layers each.
struct FoldedAttention {
  std::string query, key, value, out;
};

/// Takes the projections of keys and values out of every attention of one head. With h the tokens,
/// the scores (W_q h_i + b_q) . (W_k h_j + b_k) are (M h_i + c) . h_j with M = W_k^T W_q and c =
/// W_k^T b_q, but for what is the same for all j, which softmax ignores; and W_o sum_j p_ij (W_v
/// h_j
/// + b_v) + b_o is W_o W_v sum_j p_ij h_j + W_o b_v + b_o, since the p_ij of an i add up to 1.
std::vector<FoldedAttention> fold_attention(Tape& tape);

/// Weights and biases of the folded rows, by the names `query` and `out`, rounded once to float32.
Params folded_params(const std::vector<FoldedAttention>& folds, const Params& params,
                     ThreadPool& pool);

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

/// The other passes that inference wants before hoist_time_rows(), and all that training wants.
Tape inference_tape(Tape tape);
Tape training_tape(const GradientGraph& graph, Recompute recompute = Recompute::none);

}  // namespace ddpm::cpu
