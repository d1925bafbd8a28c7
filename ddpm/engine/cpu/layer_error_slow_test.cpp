// The rounding of each kind of layer, with Winograd and without, against the double interpreter.
// `DDPM_TEST_PRINT=1` or a failure shows the table; bench/peers/layers.py makes PyTorch's.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "ddpm/engine/cpu/cpu.h"
#include "ddpm/engine/cpu/nets_for_test.h"
#include "ddpm/net/gradient.h"
#include "ddpm/net/interpreter_for_test.h"

namespace ddpm::cpu {
namespace {

struct Layer {
  const char* name;
  Shape shape;
  int terms;  // of the longest sum, forward or backward
  std::function<Value(Graph&, Value)> build;
};

Value conv(Graph& g, Value x, int kernel, int stride) {
  return g.conv(x, "c", g.shape(x).c, kernel, stride, kernel / 2, kernel / 2);
}

Value attention(Graph& g, Value x) {
  const auto project = [&](Value v, const char* name) { return g.conv(v, name, 256, 1, 1, 0, 0); };
  return project(g.attention(project(x, "q"), project(x, "k"), project(x, "v"), 1), "out");
}

std::vector<Layer> layers() {
  const auto square = [](Graph& g, Value x) { return conv(g, x, 3, 1); };
  return {
      {"conv 3x3, 32 at 28x28", {32, 28, 28}, 784, square},
      {"conv 3x3, 128 at 16x16", {128, 16, 16}, 9 * 128, square},
      {"conv 3x3, 256 at 8x8", {256, 8, 8}, 9 * 256, square},
      {"conv 3x3 /2, 128 at 16x16",
       {128, 16, 16},
       9 * 128,
       [](Graph& g, Value x) { return conv(g, x, 3, 2); }},
      {"conv 1x1, 256 at 16x16",
       {256, 16, 16},
       256,
       [](Graph& g, Value x) { return conv(g, x, 1, 1); }},
      {"linear, 512", {512, 1, 1}, 512, [](Graph& g, Value x) { return g.linear(x, "l", 512); }},
      {"group norm, SiLU, 128 at 16x16",
       {128, 16, 16},
       256,
       [](Graph& g, Value x) { return g.silu(g.group_norm(x, "n", 32, 1e-5)); }},
      {"attention, 256 at 16x16", {256, 16, 16}, 4 * 256, attention},
  };
}

double relative_error(std::span<const float> got, const Doubles& want) {
  double squares = 0, size = 0;
  for (std::size_t i = 0; i < want.size(); ++i) {
    squares += (got[i] - want[i]) * (got[i] - want[i]);
    size += want[i] * want[i];
  }
  return std::sqrt(squares / size);
}

struct Errors {
  double forward, data_gradient, weight_gradient;
};

struct Problem {
  Graph graph;
  Params params;
  std::vector<float> x, d_out;

  explicit Problem(const Layer& layer) {
    graph.output = layer.build(graph, graph.input(layer.shape));
    params = random_params(graph);
    x = normals(layer.shape.size(), 1);
    d_out = normals(graph.shape(graph.output).size(), 2);
  }
};

// Of the tensor that most work went into.
std::string weight_of(const Graph& g) { return g.params().front().name; }

Errors errors(const Problem& p, const Interpreter& oracle, const GradientGraph& backward,
              Profile profile) {
  ThreadPool pool(2);
  const std::vector<double> time = {0};
  const std::vector<int> label = {kNoLabel}, slices = {1};
  const std::vector<std::uint64_t> sample = {0};
  const auto vjp = make_vector_jacobian(p.graph, p.params, 1, pool, profile);
  Errors e{};
  e.forward = relative_error(vjp->forward(p.x, time, label), oracle.value(p.graph.output));
  std::vector<float> d_x(p.x.size());
  vjp->backward(p.d_out, d_x);
  e.data_gradient = relative_error(d_x, oracle.value(backward.d_input));
  const auto learner = make_learner(p.graph, p.params, 1, 1, pool, profile);
  (void)learner->forward({.x = p.x, .time = time, .sample = sample, .slices = slices});
  learner->backward(p.d_out);
  const std::string weight = weight_of(p.graph);
  e.weight_gradient =
      relative_error(learner->gradients().tensor(weight), oracle.gradients.at(weight));
  return e;
}

std::string row(const Layer& layer, const char* profile, const Errors& e) {
  return fmt::format("| {} | {} | {:.1e} | {:.1e} | {:.1e} |\n", layer.name, profile, e.forward,
                     e.data_gradient, e.weight_gradient);
}

// The partial sums of k random terms grow as a walk, and each is rounded to 2^-24 of itself: the
// sum has an error of less than sqrt(k) 2^-24 of its size. Winograd's transforms enlarge it by 5.7
// at most (engine_test.cpp).
TEST(LayerError, OfEveryKindIsThatOfItsSums) {
  std::string table;
  for (const Layer& layer : layers()) {
    const Problem p(layer);
    const GradientGraph backward = gradient(p.graph, {.params = true, .input = true});
    const DoubleParams doubles = to_doubles(p.params);
    Interpreter oracle(backward.graph, doubles);
    oracle.run({Doubles(p.x.begin(), p.x.end()), Doubles(p.d_out.begin(), p.d_out.end())}, 0);
    const double allowed = std::sqrt(layer.terms) * std::exp2(-24);
    for (const Profile profile : {Profile::f32_direct, Profile::f32}) {
      const Errors e = errors(p, oracle, backward, profile);
      const double most = allowed * (profile == Profile::f32 ? 5.7 : 1);
      EXPECT_LT(e.forward, most) << layer.name;
      EXPECT_LT(e.data_gradient, most) << layer.name;
      EXPECT_LT(e.weight_gradient, most) << layer.name;
      table += row(layer, std::string(to_string(profile)).c_str(), e);
    }
  }
  if (std::getenv("DDPM_TEST_PRINT") != nullptr || HasFailure()) {
    fmt::print("| layer | profile | forward | data gradient | weight gradient |\n{}", table);
  }
}

}  // namespace
}  // namespace ddpm::cpu
