// A network as rows: operation, inputs, parameter name, attributes, shape. Engines compile rows;
// nothing else knows an architecture. Values are images of activations {c, h, w}, one a sample;
// vectors are {n, 1, 1}.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "ddpm/base/shape.h"

namespace ddpm {

using Value = int;  // index of the row that makes it
inline constexpr Value kNoValue = -1;

enum class Op {
  // forward
  input,           // x, or another tensor the caller gives (Attributes::slot)
  time_embedding,  // sinusoids of the sample's time -> {dim, 1, 1}; with a parameter (weight [dim /
                   // 2], never trained): of its logarithm times 2 pi weight
  embedding,       // a row of weight [rows, dim] -> {dim, 1, 1}
  conv,            // weight [out, in, kh, kw] (or [out, in] when both are 1), bias [out]
  norm_stats,  // {c, h, w} -> {2 groups, 1, 1}: mean of each group, then 1 / sqrt(variance + eps)
               // of each
  normalize,   // (x, stats): (x - mean) * rstd * weight[c] + bias[c]; `modulated`: (x, stats, m), m
               // {2 c, 1, 1}: that times 1 + m[c], plus m[c + channels]
  silu,        // x / (1 + e^-x)
  add,         // same shapes, or the second {c, 1, 1} added to every pixel
  scale,       // x * alpha + beta
  upsample,    // nearest, twice the size
  concat,      // along channels
  relu,        // max(x, 0)
  max_pool,    // of the pixels of a window that lie in the image
  avg_pool,    // their mean
  flatten,     // {c, h, w} -> {c h w, 1, 1}, in this order
  dropout,     // training only; mask from Philox by (layer, sample, step), scaled by 1 / (1 - p)
  dot_tokens,  // (a, b) -> {heads * tokens(b), h, w}: alpha * <a_i, b_j> within each head
  softmax,     // over each of `heads` equal parts of the channels
  mix_tokens,  // (p, v): out_i = alpha * sum_j p_ij v_j within each head
  divide_by_time,  // x / t
  // backward
  conv_dx,         // (dy): data gradient of the conv whose attributes it carries
  conv_dw,         // (x, dy): gradient of weight and bias; no value
  normalize_sums,  // (x, stats, dy) -> {2 c, 1, 1}: sums over pixels of dy, then of dy * (x - mean)
                   // * rstd
  normalize_dx,    // (x, stats, dy, sums[, m])
  normalize_dw,    // (sums[, m]): gradient of weight and bias; no value
  normalize_dm,    // (sums) -> {2 c, 1, 1}
  embedding_dw,    // (dy): gradient of weight; no value
  silu_dx,         // (x, dy)
  sum_pixels,      // {c, h, w} -> {c, 1, 1}
  upsample_dx,     // (dy): sums of 2 x 2
  slice,           // channels [begin, begin + c)
  softmax_dx,      // (p, dp)
  mix_tokens_transposed,  // (p, d): out_j = alpha * sum_i p_ij d_i within each head
};

struct Attributes {
  int slot = 0;                       // input: which of the caller's tensors
  int kernel = 1, stride = 1;         // conv, pools
  int pad_before = 0, pad_after = 0;  // conv, pools; both axes: zeros before and after
  int kernel_w = 0, pad_w = 0;        // conv: its width where it is not square (0: it is), and the
                                      // zeros on either side; kernel and pads are the height's then
  bool count_padding = false;         // avg_pool: pixels outside count as zeros
  int groups = 1;                     // norm_stats, normalize
  double epsilon = 0;                 // norm_stats
  double alpha = 1;                   // scale, dot_tokens, mix_tokens
  double beta = 0;                    // scale
  double p = 0;                       // dropout probability
  int layer = 0;                      // dropout: its number in the graph
  int heads = 1;                      // attention rows
  int begin = 0;                      // slice
  bool flip_sin_to_cos = false;       // time_embedding: [cos, sin] rather than [sin, cos]
  double freq_shift = 0;              // time_embedding: exponents i / (dim / 2 - freq_shift)
  bool modulated = false;             // normalize, its gradients
  int rows = 0;                       // embedding: of its table
  bool of_label = false;    // time_embedding, embedding: by the sample's label, not its time
  int null_row = kNoValue;  // embedding: the row of a sample without label; there may be none

  // Made by engines' passes only, never by builders or gradient().
  bool add_vector = false;    // conv: the next input, {c, 1, 1}, is added to every pixel
  bool add_residual = false;  // conv, conv_dx, normalize_dx: then the last input, of y's shape
  bool relu = false;          // conv: after all sums
  bool silu = false;          // normalize: SiLU follows. normalize_dx: dy is that of the SiLU
  bool with_stats = false;    // normalize: first fills its input `stats`, whose row is left out
  bool with_sums = false;     // normalize_dx: likewise its input `sums`

  int width() const { return kernel_w == 0 ? kernel : kernel_w; }
  int pad_left() const { return kernel_w == 0 ? pad_before : pad_w; }
  int taps() const { return kernel * width(); }
};

struct Node {
  Op op;
  std::vector<Value> inputs;
  std::string param;  // "down_blocks.0.resnets.0.conv1" stands for .weight and .bias; "" = none
  Attributes a;
  Shape shape;  // of the value; {0, 1, 1} for rows that only make parameter gradients
};

/// A parameter tensor as stored in a model folder.
struct ParamSpec {
  std::string name;        // with .weight or .bias
  std::vector<int> shape;  // [out, in, kh, kw], [out, in] or [n]

  std::size_t size() const;
  bool operator==(const ParamSpec&) const = default;
};

/// Built row by row; every builder checks shapes and throws BugError (callers check configs first).
class Graph {
 public:
  Value input(Shape shape, int slot = 0);
  Value time_embedding(int dim, bool flip_sin_to_cos, double freq_shift, bool of_label = false);
  /// Sines, then cosines of 2 pi weight[i] log(time) -> {2 features, 1, 1}. Calls with the same
  /// name share the weight.
  Value fourier_embedding(const std::string& param, int features, bool of_label = false);
  /// Row number label (null_row where there is none) of a table, or row number time.
  Value label_embedding(const std::string& param, int rows, int dim, int null_row = kNoValue);
  Value learned_time_embedding(const std::string& param, int rows, int dim);
  /// A square convolution. `matrix`: the weight is stored as [out, in] (a linear layer), kernel 1.
  Value conv(Value x, const std::string& param, int out_channels, int kernel, int stride,
             int pad_before, int pad_after, bool matrix = false);
  Value linear(Value x, const std::string& param, int out_channels);
  /// A kernel of any odd sides, stride 1, that keeps the size.
  Value conv_rect(Value x, const std::string& param, int out_channels, int kernel_h, int kernel_w);
  /// modulation: {2 c, 1, 1}, a scale s and a shift t of every channel; y (1 + s) + t.
  Value group_norm(Value x, const std::string& param, int groups, double epsilon,
                   Value modulation = kNoValue);
  Value silu(Value x);
  Value add(Value a, Value b);
  Value scale(Value x, double alpha, double beta = 0);
  Value upsample(Value x);
  Value mean_pool(Value x);  // of 2 x 2, half the size
  Value concat(Value a, Value b);
  Value relu(Value x);
  /// Square windows; where one hangs over the edge, `pad` pixels at most, only what lies in the
  /// image takes part, but for an average that counts the padding.
  Value max_pool(Value x, int kernel, int stride, int pad);
  Value avg_pool(Value x, int kernel, int stride, int pad, bool count_padding);
  /// The mean of each channel, {c, 1, 1}.
  Value mean_pixels(Value x);
  Value flatten(Value x);
  Value dropout(Value x, double p);
  /// softmax(alpha q k^T) v over pixels as tokens, alpha = 1 / sqrt(channels / heads).
  Value attention(Value q, Value k, Value v, int heads);
  Value divide_by_time(Value x);

  /// Appends a row as it is (gradient() does); declares no parameter.
  Value append(Node node);

  /// Puts another row in v's place (engines' passes); the value keeps its shape.
  void replace(Value v, Node node);

  const std::vector<Node>& nodes() const { return nodes_; }
  const Node& node(Value v) const { return nodes_.at(v); }
  Shape shape(Value v) const { return nodes_.at(v).shape; }
  const std::vector<ParamSpec>& params() const { return params_; }  // in order of first use
  Value output = kNoValue;

 private:
  void declare(const std::string& param, std::vector<int> weight, int bias);
  void declare(ParamSpec spec);
  Value embedding(const std::string& param, int rows, int dim, bool of_label, int null_row);
  Value pool(Op op, Value x, const Attributes& a);

  std::vector<Node> nodes_;
  std::vector<ParamSpec> params_;
  int dropouts_ = 0;
};

std::string_view to_string(Op op);

}  // namespace ddpm
