#include "ddpm/net/gradient.h"

#include <vector>

#include "ddpm/base/error.h"

namespace ddpm {
namespace {

// Walks the forward rows backwards; d_[v] is the row that holds the loss's derivative by value v so
// far.
class Backward {
 public:
  Backward(const Graph& forward, Wrt wrt)
      : wrt_(wrt), needed_(forward.nodes().size()), d_(forward.nodes().size(), kNoValue) {
    result_.graph = forward;
    result_.forward_rows = static_cast<int>(forward.nodes().size());
    mark_needed();
  }

  GradientGraph run() {
    Graph& g = result_.graph;
    result_.d_out = g.input(g.shape(g.output), kGradientSlot);
    d_[g.output] = result_.d_out;
    for (Value v = result_.forward_rows - 1; v >= 0; --v) {
      if (d_[v] != kNoValue && needed_[v]) visit(v, d_[v]);
    }
    return std::move(result_);
  }

 private:
  // A value's derivative is needed when something we differentiate by lies below it.
  void mark_needed() {
    const auto& nodes = result_.graph.nodes();
    for (std::size_t v = 0; v < nodes.size(); ++v) {
      const Node& node = nodes[v];
      const bool trained = !node.param.empty() && node.op != Op::time_embedding;
      bool needed =
          (wrt_.params && trained) || (wrt_.input && node.op == Op::input && node.a.slot == 0);
      for (const Value input : node.inputs) needed = needed || needed_[input];
      needed_[v] = needed;
    }
  }

  Value emit(Op op, std::vector<Value> inputs, Shape shape, const Attributes& a = {},
             std::string param = "") {
    return result_.graph.append({op, std::move(inputs), std::move(param), a, shape});
  }

  void accumulate(Value v, Value contribution) {
    if (d_[v] == kNoValue) {
      d_[v] = contribution;
    } else {
      d_[v] = emit(Op::add, {d_[v], contribution}, result_.graph.shape(v));
    }
  }

  // Runs `make` only when the derivative by v is needed.
  template <class Make>
  void into(Value v, Make make) {
    if (needed_[v]) accumulate(v, make());
  }

  void visit(Value v, Value dy);
  void visit_conv(const Node& node, Value dy);
  void visit_normalize(const Node& node, Value dy);
  void visit_add(const Node& node, Value dy);
  void visit_sum_pixels(const Node& node, Value dy);
  void visit_scale(const Node& node, Value dy);
  void visit_concat(const Node& node, Value dy);
  void visit_dot_tokens(const Node& node, Value dy);
  void visit_mix_tokens(const Node& node, Value dy);
  Shape shape(Value v) const { return result_.graph.shape(v); }

  Wrt wrt_;
  std::vector<bool> needed_;
  std::vector<Value> d_;
  GradientGraph result_;
};

void Backward::visit(Value v, Value dy) {
  const Node node = result_.graph.node(v);  // a copy: emit() grows the graph
  const auto unary = [&](Op op, std::vector<Value> inputs) {
    into(node.inputs[0], [&] { return emit(op, inputs, shape(node.inputs[0]), node.a); });
  };
  switch (node.op) {
    case Op::input:
      if (node.a.slot == 0) result_.d_input = dy;
      return;
    case Op::time_embedding:
      return;
    case Op::embedding:
      emit(Op::embedding_dw, {dy}, {0, 1, 1}, node.a, node.param);
      return;
    case Op::conv:
      return visit_conv(node, dy);
    case Op::norm_stats:
      return;  // its derivative is part of normalize_dx
    case Op::normalize:
      return visit_normalize(node, dy);
    case Op::silu:
      return unary(Op::silu_dx, {node.inputs[0], dy});
    case Op::add:
      return visit_add(node, dy);
    case Op::scale:
      return visit_scale(node, dy);
    case Op::upsample:
      return unary(Op::upsample_dx, {dy});
    case Op::sum_pixels:
      return visit_sum_pixels(node, dy);
    case Op::upsample_dx:
      return unary(Op::upsample, {dy});
    case Op::divide_by_time:
      return unary(Op::divide_by_time, {dy});
    case Op::concat:
      return visit_concat(node, dy);
    case Op::dropout:
      return unary(Op::dropout, {dy});
    case Op::dot_tokens:
      return visit_dot_tokens(node, dy);
    case Op::softmax:
      return unary(Op::softmax_dx, {v, dy});
    case Op::mix_tokens:
      return visit_mix_tokens(node, dy);
    default:
      DDPM_CHECK(false, "no derivative of {}", to_string(node.op));
  }
}

void Backward::visit_conv(const Node& node, Value dy) {
  const Value x = node.inputs[0];
  if (wrt_.params) emit(Op::conv_dw, {x, dy}, {0, 1, 1}, node.a, node.param);
  into(x, [&] { return emit(Op::conv_dx, {dy}, shape(x), node.a, node.param); });
}

void Backward::visit_normalize(const Node& node, Value dy) {
  const Value x = node.inputs[0], stats = node.inputs[1];
  const Value sums = emit(Op::normalize_sums, {x, stats, dy}, {2 * shape(x).c, 1, 1}, node.a);
  std::vector<Value> of_dx = {x, stats, dy, sums}, of_dw = {sums};
  if (node.a.modulated) {
    of_dx.push_back(node.inputs[2]);
    of_dw.push_back(node.inputs[2]);
  }
  if (wrt_.params) emit(Op::normalize_dw, of_dw, {0, 1, 1}, node.a, node.param);
  if (node.a.modulated) {
    const Value m = node.inputs[2];
    into(m, [&] { return emit(Op::normalize_dm, {sums}, shape(m), node.a, node.param); });
  }
  into(x, [&] { return emit(Op::normalize_dx, of_dx, shape(x), node.a, node.param); });
}

void Backward::visit_scale(const Node& node, Value dy) {
  const Value x = node.inputs[0];
  into(x, [&] { return emit(Op::scale, {dy}, shape(x), {.alpha = node.a.alpha}); });
}

void Backward::visit_add(const Node& node, Value dy) {
  const Value a = node.inputs[0], b = node.inputs[1];
  into(a, [&] { return dy; });
  into(b, [&] { return shape(b) == shape(a) ? dy : emit(Op::sum_pixels, {dy}, shape(b)); });
}

// Every pixel's derivative is dy: zeros of x's shape, and dy added to each of their pixels.
void Backward::visit_sum_pixels(const Node& node, Value dy) {
  const Value x = node.inputs[0];
  into(x, [&] {
    const Value zeros = emit(Op::scale, {x}, shape(x), {.alpha = 0});
    return emit(Op::add, {zeros, dy}, shape(x));
  });
}

void Backward::visit_concat(const Node& node, Value dy) {
  int begin = 0;
  for (const Value x : node.inputs) {
    into(x, [&] { return emit(Op::slice, {dy}, shape(x), {.begin = begin}); });
    begin += shape(x).c;
  }
}

// s_ij = alpha <q_i, k_j>: dq_i = alpha sum_j ds_ij k_j, dk_j = alpha sum_i ds_ij q_i.
void Backward::visit_dot_tokens(const Node& node, Value dy) {
  const Value q = node.inputs[0], k = node.inputs[1];
  into(q, [&] { return emit(Op::mix_tokens, {dy, k}, shape(q), node.a); });
  into(k, [&] { return emit(Op::mix_tokens_transposed, {dy, q}, shape(k), node.a); });
}

// o_i = alpha sum_j p_ij v_j: dp_ij = alpha <do_i, v_j>, dv_j = alpha sum_i p_ij do_i.
void Backward::visit_mix_tokens(const Node& node, Value dy) {
  const Value p = node.inputs[0], v = node.inputs[1];
  into(p, [&] { return emit(Op::dot_tokens, {dy, v}, shape(p), node.a); });
  into(v, [&] { return emit(Op::mix_tokens_transposed, {p, dy}, shape(v), node.a); });
}

}  // namespace

GradientGraph gradient(const Graph& forward, Wrt wrt) { return Backward(forward, wrt).run(); }

}  // namespace ddpm
