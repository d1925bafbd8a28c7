#include "ddpm/net/gradient.h"

#include <gtest/gtest.h>

#include "ddpm/net/classifier.h"
#include "ddpm/net/interpreter_for_test.h"
#include "ddpm/net/unets_for_test.h"

namespace ddpm {
namespace {

double wave(std::size_t i, double frequency, double phase) {
  return std::sin(frequency * static_cast<double>(i) + phase);
}

Doubles waves(std::size_t n, double frequency, double phase = 0.1) {
  Doubles v(n);
  for (std::size_t i = 0; i < n; ++i) v[i] = wave(i, frequency, phase);
  return v;
}

DoubleParams wavy_params(const Graph& g) {
  DoubleParams params;
  double phase = 0.3;
  for (const ParamSpec& spec : g.params()) {
    params[spec.name] = waves(spec.size(), 0.77, phase += 0.9);
    for (double& w : params[spec.name]) w *= 0.5;
  }
  return params;
}

// The scalar L = <direction, output>; the backward rows, fed with `direction`, must give its
// derivatives.
class GradientCheck {
 public:
  explicit GradientCheck(Graph g, int label = kNoValue)
      : label_(label),
        forward_(std::move(g)),
        params_(wavy_params(forward_)),
        x_(waves(forward_.shape(0).size(), 0.37)),
        direction_(waves(forward_.shape(forward_.output).size(), 1.3, 0.7)) {}

  /// At `entries` places of every tensor.
  void expect_all_derivatives(std::size_t entries = 7) {
    const GradientGraph g = gradient(forward_, {.params = true, .input = true});
    Interpreter backward(g.graph, params_);
    backward.run({x_, direction_}, kTime, true, label_);
    compare("x", x_, backward.value(g.d_input), entries);
    for (auto& [name, values] : params_) {
      if (name != "time_proj.weight" || backward.gradients.contains(name)) {
        compare(name, values, backward.gradients[name], entries);
      }
    }
  }

 private:
  static constexpr double kTime = 321;

  double loss() const {
    Interpreter forward(forward_, params_);
    forward.run({x_}, kTime, true, label_);
    double sum = 0;
    const Doubles& y = forward.value(forward_.output);
    for (std::size_t i = 0; i < y.size(); ++i) sum += direction_[i] * y[i];
    return sum;
  }

  // Central differences of step h: error h^2 f''' / 6 + 2e-16 |L| / h. With h = 1e-5 and |L|, f'''
  // of order 1 to 100 that is below 2e-8; derivatives are compared to 1e-6 (1 + |d|), which every
  // wrong sign, factor or index exceeds by far.
  void compare(const std::string& name, Doubles& values, const Doubles& derivative,
               std::size_t entries) {
    constexpr double kStep = 1e-5, kTol = 1e-6;
    ASSERT_EQ(derivative.size(), values.size()) << name;
    const std::size_t stride = std::max<std::size_t>(1, values.size() / entries);
    for (std::size_t i = 0; i < values.size(); i += stride) {
      const double kept = values[i];
      values[i] = kept + kStep;
      const double above = loss();
      values[i] = kept - kStep;
      const double below = loss();
      values[i] = kept;
      const double numeric = (above - below) / (2 * kStep);
      EXPECT_NEAR(derivative[i], numeric, kTol * (1 + std::abs(numeric)))
          << name << "[" << i << "]";
    }
  }

  int label_;
  Graph forward_;
  DoubleParams params_;
  Doubles x_, direction_;
};

template <class Build>
void check(Shape input, const Build& build, int label = kNoValue) {
  Graph g;
  g.output = build(g, g.input(input));
  GradientCheck(g, label).expect_all_derivatives();
}

TEST(Gradient, OfConvolutions) {
  check({3, 5, 4}, [](Graph& g, Value x) { return g.conv(x, "c", 2, 3, 1, 1, 1); });
  check({2, 6, 4}, [](Graph& g, Value x) { return g.conv(x, "c", 3, 3, 2, 0, 1); });
  check({2, 6, 4}, [](Graph& g, Value x) { return g.conv(x, "c", 3, 3, 2, 1, 1); });
  check({4, 3, 3}, [](Graph& g, Value x) { return g.linear(x, "c", 5); });
}

TEST(Gradient, OfGroupNormAndSilu) {
  check({6, 3, 4}, [](Graph& g, Value x) { return g.silu(g.group_norm(x, "n", 3, 1e-6)); });
}

TEST(Gradient, OfAdditionsScalesAndCopies) {
  check({2, 4, 6}, [](Graph& g, Value x) {
    const Value time = g.linear(g.time_embedding(4, false, 1), "t", 2);
    const Value y = g.add(x, time);
    return g.add(g.concat(y, g.scale(x, -1.7)), g.conv(x, "c", 4, 1, 1, 0, 0));
  });
}

TEST(Gradient, OfUpsampling) {
  check({2, 3, 2}, [](Graph& g, Value x) { return g.silu(g.upsample(x)); });
}

TEST(Gradient, OfASmallClassifier) {
  for (const bool noisy : {false, true}) {
    const ClassifierConfig config{.in_channels = 2,
                                  .height = 5,
                                  .width = 4,
                                  .num_classes = 3,
                                  .block_out_channels = {4, 6},
                                  .layers_per_block = 1,
                                  .norm_num_groups = 2,
                                  .noisy = noisy};
    for (const ClassifierOutput output : {ClassifierOutput::logits, ClassifierOutput::both}) {
      GradientCheck(classifier(config, output)).expect_all_derivatives(/*entries=*/2);
    }
  }
}

TEST(Gradient, OfAttentionWithOneAndTwoHeads) {
  for (const int heads : {1, 2}) {
    check({4, 3, 2}, [&](Graph& g, Value x) {
      return g.attention(g.linear(x, "q", 4), g.linear(x, "k", 4), g.linear(x, "v", 4), heads);
    });
  }
}

TEST(Gradient, OfAModulatedGroupNorm) {
  check({6, 3, 4}, [](Graph& g, Value x) {
    const Value time = g.linear(g.time_embedding(4, false, 1), "t", 12);
    return g.silu(g.group_norm(x, "n", 3, 1e-6, time));
  });
}

// The row of the image's label, or the last one; every other row has derivative 0.
TEST(Gradient, OfTablesOfLabelsAndTimes) {
  for (const int label : {2, kNoValue}) {
    check(
        {3, 2, 2},
        [](Graph& g, Value x) {
          const Value both = g.add(g.label_embedding("class_embedding", 5, 3, 4),
                                   g.learned_time_embedding("time_table", 322, 3));
          return g.silu(g.add(x, both));
        },
        label);
  }
}

TEST(Gradient, OfMeanPoolsCentringAndDivisionByTime) {
  check({2, 4, 6},
        [](Graph& g, Value x) { return g.divide_by_time(g.silu(g.mean_pool(g.scale(x, 2, -1)))); });
}

TEST(Gradient, FourierFrequenciesAreNotTrained) {
  Graph g;
  const Value time = g.linear(g.fourier_embedding("time_proj", 3), "t", 2);
  g.output = g.add(g.input({2, 2, 2}), time);
  const GradientGraph backward = gradient(g, {});
  for (std::size_t v = backward.forward_rows; v < backward.graph.nodes().size(); ++v) {
    EXPECT_NE(backward.graph.node(static_cast<Value>(v)).param, "time_proj");
  }
}

// All levels small, for every derivative runs the net twice.
const UNetConfig kSmall{.in_channels = 2,
                        .out_channels = 2,
                        .height = 2,
                        .width = 4,
                        .block_out_channels = {4, 6},
                        .attention = {false, true},
                        .layers_per_block = 1,
                        .norm_num_groups = 2,
                        .dropout = 0};

TEST(Gradient, OfEveryKindOfUNet) {
  for (const UNetConfig& config : unet_kinds(kSmall, /*head=*/4)) {
    const bool told = config.conditional() && !config.null_class;
    GradientCheck(unet(config), told ? 4 : kNoValue).expect_all_derivatives(/*entries=*/2);
  }
}

TEST(Gradient, OfASmallUNet) { GradientCheck(unet(kSmall)).expect_all_derivatives(/*entries=*/2); }

TEST(Gradient, WithoutParamsHasNoParameterRows) {
  Graph g;
  g.output = g.conv(g.input({2, 4, 4}), "c", 2, 3, 1, 1, 1);
  const GradientGraph backward = gradient(g, {.params = false, .input = true});
  for (const Node& node : backward.graph.nodes()) {
    EXPECT_NE(node.op, Op::conv_dw);
  }
}

}  // namespace
}  // namespace ddpm
