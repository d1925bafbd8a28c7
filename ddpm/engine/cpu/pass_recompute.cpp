#include <algorithm>

#include "ddpm/engine/cpu/passes.h"

namespace ddpm::cpu {
namespace {

// A block is what lies between two residual sums. Kept are: the sums; what later blocks read; what
// has no pixels (statistics, time projections); concatenations, whose parts are kept anyway.
class Remaker {
 public:
  explicit Remaker(Tape& tape)
      : tape_(tape), block_(tape.graph.nodes().size(), -1), kept_(block_.size(), true) {}

  void run() {
    const int blocks = number_blocks();
    find_kept();
    for (int block = blocks - 1; block >= 0; --block) remake(block);
  }

 private:
  const Node& node(Value v) const { return tape_.graph.node(v); }

  bool is_residual_sum(Value row) const {
    const Node& n = node(row);
    return n.a.add_residual || (n.op == Op::add && tape_.graph.shape(n.inputs[1]) == n.shape);
  }

  int number_blocks() {
    int block = 0;
    for (int step = 0; step < tape_.forward; ++step) {
      block_[tape_.order[step]] = block;
      if (is_residual_sum(tape_.order[step])) ++block;
    }
    return block + 1;
  }

  void find_kept() {
    const auto all_readers = readers(tape_);
    for (int step = 0; step < tape_.forward; ++step) {
      const Value row = tape_.order[step];
      const bool read_by_others =
          std::any_of(all_readers[row].begin(), all_readers[row].end(), [&](Value reader) {
            return reader == kNoValue || (block_[reader] >= 0 && block_[reader] != block_[row]);
          });
      const Op op = node(row).op;
      kept_[row] = read_by_others || is_residual_sum(row) || node(row).shape.pixels() == 1 ||
                   op == Op::input || op == Op::concat;
    }
  }

  // Runs the block's rows that the backward pass needs again, before the first that needs one.
  void remake(int block) {
    std::vector<bool> wanted(block_.size(), false);
    int before = -1;
    for (int step = tape_.forward; step < tape_.steps(); ++step) {
      for (const Value input : node(tape_.order[step]).inputs) {
        if (block_[input] != block || kept_[input]) continue;
        wanted[input] = true;
        if (before < 0) before = step;
      }
    }
    if (before < 0) return;
    std::vector<Value> rows;  // last first
    for (int step = tape_.forward - 1; step >= 0; --step) {
      const Value row = tape_.order[step];
      if (!wanted[row]) continue;
      rows.push_back(row);
      for (const Value input : node(row).inputs) wanted[input] = wanted[input] || !kept_[input];
    }
    for (const Value row : rows) tape_.insert(before, row);
  }

  Tape& tape_;
  std::vector<int> block_;  // of forward rows; -1 for the others
  std::vector<bool> kept_;
};

}  // namespace

void recompute_blocks(Tape& tape) { Remaker(tape).run(); }

}  // namespace ddpm::cpu
