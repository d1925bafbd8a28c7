#include "ddpm/net/graph.h"

#include <algorithm>
#include <cmath>
#include <iterator>

#include "ddpm/base/error.h"

namespace ddpm {

std::size_t ParamSpec::size() const {
  std::size_t n = 1;
  for (const int d : shape) n *= static_cast<std::size_t>(d);
  return n;
}

void Graph::declare(const std::string& param, std::vector<int> weight, int bias) {
  declare({param + ".weight", std::move(weight)});
  declare({param + ".bias", {bias}});
}

void Graph::declare(ParamSpec spec) {
  const auto same_name = [&](const ParamSpec& p) { return p.name == spec.name; };
  DDPM_CHECK(std::none_of(params_.begin(), params_.end(), same_name), "{}", spec.name);
  params_.push_back(std::move(spec));
}

Value Graph::append(Node node) {
  for (const Value v : node.inputs) {
    DDPM_CHECK(v >= 0 && v < static_cast<Value>(nodes_.size()), "row {} reads {}", nodes_.size(),
               v);
  }
  nodes_.push_back(std::move(node));
  return static_cast<Value>(nodes_.size()) - 1;
}

void Graph::replace(Value v, Node node) {
  for (const Value input : node.inputs)
    DDPM_CHECK(input >= 0 && input < v, "{} reads {}", v, input);
  DDPM_CHECK(node.shape == shape(v), "row {}", v);
  nodes_[v] = std::move(node);
}

Value Graph::input(Shape shape, int slot) {
  return append({.op = Op::input, .inputs = {}, .param = "", .a = {.slot = slot}, .shape = shape});
}

Value Graph::time_embedding(int dim, bool flip_sin_to_cos, double freq_shift, bool of_label) {
  DDPM_CHECK(dim >= 2 && dim % 2 == 0, "dim {}", dim);
  return append(
      {.op = Op::time_embedding,
       .inputs = {},
       .param = "",
       .a = {.flip_sin_to_cos = flip_sin_to_cos, .freq_shift = freq_shift, .of_label = of_label},
       .shape = {dim, 1, 1}});
}

Value Graph::fourier_embedding(const std::string& param, int features, bool of_label) {
  const ParamSpec spec{param + ".weight", {features}};
  if (std::find(params_.begin(), params_.end(), spec) == params_.end()) declare(spec);
  return append({.op = Op::time_embedding,
                 .inputs = {},
                 .param = param,
                 .a = {.of_label = of_label},
                 .shape = {2 * features, 1, 1}});
}

Value Graph::label_embedding(const std::string& param, int rows, int dim, int null_row) {
  return embedding(param, rows, dim, true, null_row);
}

Value Graph::learned_time_embedding(const std::string& param, int rows, int dim) {
  return embedding(param, rows, dim, false, kNoValue);
}

Value Graph::embedding(const std::string& param, int rows, int dim, bool of_label, int null_row) {
  DDPM_CHECK(rows >= 1 && null_row < rows, "{} rows, null row {}", rows, null_row);
  declare({param + ".weight", {rows, dim}});
  return append({.op = Op::embedding,
                 .inputs = {},
                 .param = param,
                 .a = {.rows = rows, .of_label = of_label, .null_row = null_row},
                 .shape = {dim, 1, 1}});
}

Value Graph::conv(Value x, const std::string& param, int out_channels, int kernel, int stride,
                  int pad_before, int pad_after, bool matrix) {
  const Shape in = shape(x);
  const auto out_size = [&](int n) { return (n + pad_before + pad_after - kernel) / stride + 1; };
  DDPM_CHECK(!matrix || kernel == 1);
  DDPM_CHECK(in.h + pad_before + pad_after >= kernel && in.w + pad_before + pad_after >= kernel);
  std::vector<int> weight = {out_channels, in.c};
  if (!matrix) weight.insert(weight.end(), {kernel, kernel});
  declare(param, std::move(weight), out_channels);
  return append(
      {.op = Op::conv,
       .inputs = {x},
       .param = param,
       .a = {.kernel = kernel, .stride = stride, .pad_before = pad_before, .pad_after = pad_after},
       .shape = {out_channels, out_size(in.h), out_size(in.w)}});
}

Value Graph::linear(Value x, const std::string& param, int out_channels) {
  return conv(x, param, out_channels, 1, 1, 0, 0, /*matrix=*/true);
}

Value Graph::conv_rect(Value x, const std::string& param, int out_channels, int kernel_h,
                       int kernel_w) {
  const Shape in = shape(x);
  DDPM_CHECK(kernel_h % 2 == 1 && kernel_w % 2 == 1, "{} x {}", kernel_h, kernel_w);
  declare(param, {out_channels, in.c, kernel_h, kernel_w}, out_channels);
  return append({.op = Op::conv,
                 .inputs = {x},
                 .param = param,
                 .a = {.kernel = kernel_h,
                       .pad_before = kernel_h / 2,
                       .pad_after = kernel_h / 2,
                       .kernel_w = kernel_w,
                       .pad_w = kernel_w / 2},
                 .shape = {out_channels, in.h, in.w}});
}

Value Graph::group_norm(Value x, const std::string& param, int groups, double epsilon,
                        Value modulation) {
  const Shape s = shape(x);
  const bool modulated = modulation != kNoValue;
  DDPM_CHECK(groups >= 1 && s.c % groups == 0, "{} channels, {} groups", s.c, groups);
  DDPM_CHECK(!modulated || shape(modulation) == (Shape{2 * s.c, 1, 1}));
  declare(param, {s.c}, s.c);
  const Value stats = append({.op = Op::norm_stats,
                              .inputs = {x},
                              .param = "",
                              .a = {.groups = groups, .epsilon = epsilon},
                              .shape = {2 * groups, 1, 1}});
  std::vector<Value> inputs = {x, stats};
  if (modulated) inputs.push_back(modulation);
  return append({.op = Op::normalize,
                 .inputs = std::move(inputs),
                 .param = param,
                 .a = {.groups = groups, .modulated = modulated},
                 .shape = s});
}

Value Graph::silu(Value x) {
  return append({.op = Op::silu, .inputs = {x}, .param = "", .a = {}, .shape = shape(x)});
}

Value Graph::add(Value a, Value b) {
  const Shape s = shape(a), t = shape(b);
  DDPM_CHECK(s == t || (t == Shape{s.c, 1, 1}), "{}x{}x{} + {}x{}x{}", s.c, s.h, s.w, t.c, t.h,
             t.w);
  return append({.op = Op::add, .inputs = {a, b}, .param = "", .a = {}, .shape = s});
}

Value Graph::scale(Value x, double alpha, double beta) {
  return append({.op = Op::scale,
                 .inputs = {x},
                 .param = "",
                 .a = {.alpha = alpha, .beta = beta},
                 .shape = shape(x)});
}

Value Graph::upsample(Value x) {
  const Shape s = shape(x);
  return append(
      {.op = Op::upsample, .inputs = {x}, .param = "", .a = {}, .shape = {s.c, 2 * s.h, 2 * s.w}});
}

Value Graph::mean_pool(Value x) {
  const Shape s = shape(x);
  DDPM_CHECK(s.h % 2 == 0 && s.w % 2 == 0, "{}x{}", s.h, s.w);
  const Value sums = append({.op = Op::upsample_dx,
                             .inputs = {x},
                             .param = "",
                             .a = {},
                             .shape = {s.c, s.h / 2, s.w / 2}});
  return scale(sums, 0.25);
}

Value Graph::concat(Value a, Value b) {
  const Shape s = shape(a), t = shape(b);
  DDPM_CHECK(s.h == t.h && s.w == t.w);
  return append(
      {.op = Op::concat, .inputs = {a, b}, .param = "", .a = {}, .shape = {s.c + t.c, s.h, s.w}});
}

Value Graph::relu(Value x) {
  return append({.op = Op::relu, .inputs = {x}, .param = "", .a = {}, .shape = shape(x)});
}

Value Graph::pool(Op op, Value x, const Attributes& a) {
  const Shape s = shape(x);
  const auto out_size = [&](int n) { return (n + 2 * a.pad_before - a.kernel) / a.stride + 1; };
  // A window wholly outside would have no pixel.
  DDPM_CHECK(a.pad_before < a.kernel && std::min(s.h, s.w) + 2 * a.pad_before >= a.kernel);
  return append(
      {.op = op, .inputs = {x}, .param = "", .a = a, .shape = {s.c, out_size(s.h), out_size(s.w)}});
}

Value Graph::max_pool(Value x, int kernel, int stride, int pad) {
  return pool(Op::max_pool, x,
              {.kernel = kernel, .stride = stride, .pad_before = pad, .pad_after = pad});
}

Value Graph::avg_pool(Value x, int kernel, int stride, int pad, bool count_padding) {
  return pool(Op::avg_pool, x,
              {.kernel = kernel,
               .stride = stride,
               .pad_before = pad,
               .pad_after = pad,
               .count_padding = count_padding});
}

Value Graph::mean_pixels(Value x) {
  const Shape s = shape(x);
  const Value sums =
      append({.op = Op::sum_pixels, .inputs = {x}, .param = "", .a = {}, .shape = {s.c, 1, 1}});
  return scale(sums, 1.0 / s.pixels());
}

Value Graph::flatten(Value x) {
  return append({.op = Op::flatten,
                 .inputs = {x},
                 .param = "",
                 .a = {},
                 .shape = {static_cast<int>(shape(x).size()), 1, 1}});
}

Value Graph::dropout(Value x, double p) {
  DDPM_CHECK(p >= 0 && p < 1, "p = {}", p);
  if (p == 0) return x;
  return append({.op = Op::dropout,
                 .inputs = {x},
                 .param = "",
                 .a = {.p = p, .layer = dropouts_++},
                 .shape = shape(x)});
}

Value Graph::attention(Value q, Value k, Value v, int heads) {
  const Shape s = shape(q);
  DDPM_CHECK(s == shape(k) && s == shape(v) && heads >= 1 && s.c % heads == 0);
  const double alpha = 1 / std::sqrt(static_cast<double>(s.c) / heads);
  const Shape scores = {heads * s.pixels(), s.h, s.w};
  const Value dots = append({.op = Op::dot_tokens,
                             .inputs = {q, k},
                             .param = "",
                             .a = {.alpha = alpha, .heads = heads},
                             .shape = scores});
  const Value p = append(
      {.op = Op::softmax, .inputs = {dots}, .param = "", .a = {.heads = heads}, .shape = scores});
  return append(
      {.op = Op::mix_tokens, .inputs = {p, v}, .param = "", .a = {.heads = heads}, .shape = s});
}

Value Graph::divide_by_time(Value x) {
  return append({.op = Op::divide_by_time, .inputs = {x}, .param = "", .a = {}, .shape = shape(x)});
}

std::string_view to_string(Op op) {
  static constexpr std::string_view kNames[] = {// in the order of the enumeration
                                                "input",
                                                "time_embedding",
                                                "embedding",
                                                "conv",
                                                "norm_stats",
                                                "normalize",
                                                "silu",
                                                "add",
                                                "scale",
                                                "upsample",
                                                "concat",
                                                "relu",
                                                "max_pool",
                                                "avg_pool",
                                                "flatten",
                                                "dropout",
                                                "dot_tokens",
                                                "softmax",
                                                "mix_tokens",
                                                "divide_by_time",
                                                "conv_dx",
                                                "conv_dw",
                                                "normalize_sums",
                                                "normalize_dx",
                                                "normalize_dw",
                                                "normalize_dm",
                                                "embedding_dw",
                                                "silu_dx",
                                                "sum_pixels",
                                                "upsample_dx",
                                                "slice",
                                                "softmax_dx",
                                                "mix_tokens_transposed"};
  static_assert(std::size(kNames) == static_cast<std::size_t>(Op::mix_tokens_transposed) + 1);
  return kNames[static_cast<std::size_t>(op)];
}

}  // namespace ddpm
