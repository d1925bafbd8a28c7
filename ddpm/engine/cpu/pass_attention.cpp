#include <algorithm>
#include <optional>

#include "ddpm/engine/cpu/passes.h"

namespace ddpm::cpu {
namespace {

// The rows around attention's two products.
struct Found {
  Value tokens, query, key, value, scores, mixed, out;
};

class AttentionFolder {
 public:
  explicit AttentionFolder(Tape& tape) : tape_(tape), readers_(readers(tape)) {}

  std::vector<FoldedAttention> run() {
    std::vector<FoldedAttention> folds;
    const std::vector<Value> order = tape_.order;
    for (const Value row : order) {
      if (node(row).op != Op::dot_tokens) continue;
      if (const auto found = find(row)) folds.push_back(fold(*found));
    }
    return folds;
  }

 private:
  const Node& node(Value v) const { return tape_.graph.node(v); }

  std::optional<Found> find(Value scores) const {
    Found f{.scores = scores};
    f.query = node(scores).inputs[0];
    f.key = node(scores).inputs[1];
    const Value softmax = only_reader(scores, Op::softmax);
    f.mixed = only_reader(softmax, Op::mix_tokens);
    f.out = only_reader(f.mixed, Op::conv);
    if (f.out == kNoValue || node(scores).a.heads != 1) return {};
    f.value = node(f.mixed).inputs[1];
    f.tokens = node(f.query).inputs[0];
    const bool folds = is_linear(f.out) && projects(f.tokens, f.query, f.scores) &&
                       projects(f.tokens, f.key, f.scores) && projects(f.tokens, f.value, f.mixed);
    return folds ? std::optional(f) : std::nullopt;
  }

  // Whether v is a linear layer of the tokens, as wide as they are, that `reader` alone reads.
  bool projects(Value tokens, Value v, Value reader) const {
    return is_linear(v) && node(v).inputs[0] == tokens && node(v).shape == node(tokens).shape &&
           readers_[v] == std::vector<Value>{reader};
  }

  bool is_linear(Value v) const {
    const Node& n = node(v);
    return n.op == Op::conv && n.a.taps() == 1 && n.a.stride == 1 && n.inputs.size() == 1;
  }

  // The one row that reads v, if it is an `op`.
  Value only_reader(Value v, Op op) const {
    if (v == kNoValue || readers_[v].size() != 1) return kNoValue;
    const Value reader = readers_[v][0];
    return reader != kNoValue && node(reader).op == op ? reader : kNoValue;
  }

  FoldedAttention fold(const Found& f) {
    replace_input(f.scores, 1, f.tokens);
    replace_input(f.mixed, 1, f.tokens);
    tape_.remove(f.key);
    tape_.remove(f.value);
    return {node(f.query).param, node(f.key).param, node(f.value).param, node(f.out).param};
  }

  void replace_input(Value row, int input, Value by) {
    Node changed = node(row);
    changed.inputs[input] = by;
    tape_.graph.replace(row, std::move(changed));
  }

  Tape& tape_;
  std::vector<std::vector<Value>> readers_;
};

// The left factor of a product of weights.
struct Left {
  std::span<const float> values;
  bool transposed;  // stored as [inner][rows], else as [rows][inner]
  int rows, inner;

  float at(int i, int k) const {
    return transposed ? values[std::size_t{1} * k * rows + i]
                      : values[std::size_t{1} * i * inner + k];
  }

  // to[i][j] = start[i] + sum over k of at(i, k) right[k][j], in increasing k and in double, where
  // products of two float32 are exact.
  void times(std::span<const float> right, std::span<const float> start, std::span<float> to,
             ThreadPool& pool) const {
    const std::size_t columns = right.size() / inner;
    std::vector<std::vector<double>> scratch(pool.threads(), std::vector<double>(columns));
    pool.run(rows, [&](int i, int worker) {
      std::vector<double>& sums = scratch[worker];
      std::ranges::fill(sums, start.empty() ? 0.0 : start[i]);
      for (int k = 0; k < inner; ++k) {
        const double factor = at(i, k);
        const float* row = right.data() + k * columns;
        for (std::size_t j = 0; j < columns; ++j) sums[j] += factor * row[j];
      }
      for (std::size_t j = 0; j < columns; ++j) to[i * columns + j] = static_cast<float>(sums[j]);
    });
  }
};

}  // namespace

std::vector<FoldedAttention> fold_attention(Tape& tape) { return AttentionFolder(tape).run(); }

Params folded_params(const std::vector<FoldedAttention>& folds, const Params& params,
                     ThreadPool& pool) {
  const auto weight = [&](const std::string& name) { return params.tensor(name + ".weight"); };
  const auto bias = [&](const std::string& name) { return params.tensor(name + ".bias"); };
  std::vector<ParamSpec> specs;
  for (const FoldedAttention& f : folds) {
    const int tokens = static_cast<int>(bias(f.query).size());
    for (const std::string& name : {f.query, f.out}) {
      const int rows = static_cast<int>(bias(name).size());
      specs.push_back({name + ".weight", {rows, tokens}});
      specs.push_back({name + ".bias", {rows}});
    }
  }
  Params folded(std::move(specs));
  for (const FoldedAttention& f : folds) {
    const int tokens = static_cast<int>(bias(f.query).size());
    const Left key{weight(f.key), true, tokens, tokens};
    key.times(weight(f.query), {}, folded.tensor(f.query + ".weight"), pool);
    key.times(bias(f.query), {}, folded.tensor(f.query + ".bias"), pool);
    const Left out{weight(f.out), false, static_cast<int>(bias(f.out).size()), tokens};
    out.times(weight(f.value), {}, folded.tensor(f.out + ".weight"), pool);
    out.times(bias(f.value), bias(f.out), folded.tensor(f.out + ".bias"), pool);
  }
  return folded;
}

}  // namespace ddpm::cpu
