#include "ddpm/engine/cpu/op_clock.h"

#include <fmt/format.h>

#include "ddpm/base/error.h"

namespace ddpm::cpu {
namespace {

thread_local OpClock* clock_of_thread = nullptr;

bool is_conv(Op op) { return op == Op::conv || op == Op::conv_dx || op == Op::conv_dw; }

double conv_flops(const Graph& graph, const Node& node) {
  // The side with the pixels of the output: conv's value, or the gradient dy. `others` are the
  // channels that each of its values is joined with.
  const bool forward = node.op == Op::conv;
  const Shape y = forward ? node.shape : graph.shape(node.inputs[node.op == Op::conv_dx ? 0 : 1]);
  const int others = node.op == Op::conv_dx ? node.shape.c : graph.shape(node.inputs[0]).c;
  return 2.0 * static_cast<double>(y.size()) * others * node.a.taps();
}

}  // namespace

OpClock::OpClock() {
  DDPM_CHECK(clock_of_thread == nullptr, "one OpClock at a time");
  clock_of_thread = this;
}

OpClock::~OpClock() { clock_of_thread = nullptr; }

OpClock* OpClock::current() { return clock_of_thread; }

void OpClock::add(const std::string& kind, const OpTime& time) {
  OpTime& sum = times_[kind];
  sum.seconds += time.seconds;
  sum.direct_flops += time.direct_flops;
  sum.real_flops += time.real_flops;
}

std::string op_kind(const Node& node) {
  std::string name(to_string(node.op));
  if (!is_conv(node.op)) return name;
  const std::string stride = node.a.stride == 1 ? "" : fmt::format(" /{}", node.a.stride);
  return fmt::format("{} {}x{}{}", name, node.a.kernel, node.a.width(), stride);
}

double direct_flops(const Graph& graph, const Node& node) {
  if (is_conv(node.op)) return conv_flops(graph, node);
  switch (node.op) {
    case Op::dot_tokens: {  // every token with every token, over all channels
      const Shape a = graph.shape(node.inputs[0]), b = graph.shape(node.inputs[1]);
      return 2.0 * static_cast<double>(a.size()) * b.h * b.w;
    }
    case Op::mix_tokens:
    case Op::mix_tokens_transposed: {
      const Shape v = graph.shape(node.inputs[1]);
      return 2.0 * static_cast<double>(v.size()) * node.shape.h * node.shape.w;
    }
    default:
      return 0;
  }
}

bool is_winograd_shape(const Node& node) {
  return is_conv(node.op) && node.a.kernel == 3 && node.a.width() == 3 && node.a.stride == 1;
}

}  // namespace ddpm::cpu
