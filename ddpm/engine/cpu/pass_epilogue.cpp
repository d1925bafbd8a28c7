#include "ddpm/engine/cpu/passes.h"

namespace ddpm::cpu {
namespace {

class EpilogueFuser {
 public:
  explicit EpilogueFuser(Tape& tape) : tape_(tape) {}

  void run() {
    const std::vector<Value> order = tape_.order;
    for (const Value row : order) {
      if (node(row).op == Op::add) visit(row);
    }
  }

 private:
  const Node& node(Value v) const { return tape_.graph.node(v); }

  // The maker moves to the add's place, where all that it adds exists. a + b is b + a, bit for bit.
  void visit(Value add) {
    const Value a = node(add).inputs[0], b = node(add).inputs[1];
    if (a == b) return;
    if (node(b).shape != node(a).shape) {
      if (takes_vector(a, add)) fuse(add, a, b, &Attributes::add_vector);
      return;
    }
    const bool b_is_later = tape_.step_of(b) > tape_.step_of(a);
    const Value late = b_is_later ? b : a, early = b_is_later ? a : b;
    if (takes_residual(late, add)) {
      fuse(add, late, early, &Attributes::add_residual);
    } else if (takes_residual(early, add)) {
      fuse(add, early, late, &Attributes::add_residual);
    }
  }

  bool has_one_reader(Value v, Value reader) const {
    return readers(tape_)[v] == std::vector<Value>{reader};
  }

  bool takes_vector(Value v, Value reader) const {
    const Node& maker = node(v);
    return maker.op == Op::conv && !maker.a.add_vector && !maker.a.add_residual &&
           has_one_reader(v, reader);
  }

  bool takes_residual(Value v, Value reader) const {
    const Node& maker = node(v);
    const bool can =
        maker.op == Op::conv || maker.op == Op::conv_dx || maker.op == Op::normalize_dx;
    return can && !maker.a.add_residual && has_one_reader(v, reader);
  }

  void fuse(Value add, Value maker, Value operand, bool Attributes::* flag) {
    Node fused = node(maker);
    fused.inputs.push_back(operand);
    fused.a.*flag = true;
    tape_.graph.replace(add, std::move(fused));
    tape_.remove(maker);
  }

  Tape& tape_;
};

}  // namespace

void fuse_epilogues(Tape& tape) { EpilogueFuser(tape).run(); }

}  // namespace ddpm::cpu
