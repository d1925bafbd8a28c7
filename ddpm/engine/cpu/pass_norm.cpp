#include <algorithm>

#include "ddpm/engine/cpu/passes.h"

namespace ddpm::cpu {
namespace {

class NormFuser {
 public:
  explicit NormFuser(Tape& tape) : tape_(tape) {}

  void run() {
    const std::vector<Value> order = tape_.order;
    for (const Value row : order) {
      if (node(row).op == Op::normalize_sums) fuse_gradient(row);
    }
    for (const Value row : order) {
      if (node(row).op == Op::normalize) fuse_forward(row);
    }
  }

 private:
  const Node& node(Value v) const { return tape_.graph.node(v); }

  // (stats, normalize, silu) -> normalize in silu's place. Runs after fuse_gradient(), which may
  // have ended the need for the norm's own value.
  void fuse_forward(Value row) {
    Node fused = node(row);
    const Value stats = fused.inputs[1];
    const auto all_readers = readers(tape_);
    if (all_readers[stats].front() == row) {
      fused.a.with_stats = true;
      fused.a.epsilon = node(stats).a.epsilon;
      tape_.remove(stats);
    }
    const auto& of_row = all_readers[row];
    const bool silu = !fused.a.silu && of_row.size() == 1 && of_row[0] != kNoValue &&
                      node(of_row[0]).op == Op::silu;
    if (silu) fused.a.silu = true;
    tape_.graph.replace(silu ? of_row[0] : row, std::move(fused));
    if (silu) tape_.remove(row);
  }

  // ([silu_dx], sums, normalize_dx) -> normalize_dx in its place; the other readers of the sums
  // follow it. With a SiLU before: from the norm's input and the SiLU's dy.
  void fuse_gradient(Value sums) {
    const auto all_readers = readers(tape_);
    const auto dx = std::find_if(all_readers[sums].begin(), all_readers[sums].end(),
                                 [&](Value v) { return node(v).op == Op::normalize_dx; });
    if (dx == all_readers[sums].end() || !may_follow(all_readers, sums, *dx)) return;
    Node fused = node(*dx);
    fused.a.with_sums = true;
    const Value dy = fused.inputs[2];
    if (node(dy).op == Op::silu_dx && all_readers[dy] == std::vector<Value>{sums, *dx} &&
        is_norm_of(node(dy).inputs[0], fused)) {
      fused.a.silu = true;
      fused.inputs[2] = node(dy).inputs[1];
      tape_.remove(dy);
    }
    tape_.graph.replace(*dx, std::move(fused));
    tape_.remove(sums);
    for (const Value reader : all_readers[sums]) {
      if (reader == *dx) continue;
      tape_.remove(reader);
      tape_.insert(tape_.step_of(*dx) + 1, reader);
    }
  }

  // Whether nothing before `dx` reads what the sums' other readers make.
  bool may_follow(const std::vector<std::vector<Value>>& all_readers, Value sums, Value dx) const {
    for (const Value reader : all_readers[sums]) {
      if (reader == dx) continue;
      for (const Value next : all_readers[reader]) {
        if (tape_.step_of(next) < tape_.step_of(dx)) return false;
      }
    }
    return true;
  }

  // Whether v is the value of the norm that `dx` is the gradient of.
  bool is_norm_of(Value v, const Node& dx) const {
    return node(v).op == Op::normalize && node(v).inputs[0] == dx.inputs[0] &&
           node(v).inputs[1] == dx.inputs[1] && node(v).param == dx.param;
  }

  Tape& tape_;
};

}  // namespace

void fuse_norms(Tape& tape) { NormFuser(tape).run(); }

}  // namespace ddpm::cpu
