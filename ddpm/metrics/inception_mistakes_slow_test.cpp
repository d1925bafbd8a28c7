// What single mistakes would change: each row of this table, made on purpose, moves the taps as far
// as the reference says, which is 50 times and more what the goldens allow.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "ddpm/engine/cpu/cpu.h"
#include "ddpm/image/resize_float.h"
#include "ddpm/net/inception_for_test.h"

namespace ddpm {
namespace {

constexpr InceptionTap kTaps[] = {InceptionTap::block64, InceptionTap::block192,
                                  InceptionTap::block768, InceptionTap::pool, InceptionTap::logits};

const TensorFile& weights() {
  static const TensorFile file = formula_inception();
  return file;
}

std::vector<float> planes(int k) {
  const auto bytes = formula_image(kA32, k);
  return {bytes.begin(), bytes.end()};
}

using Input = std::function<std::vector<float>(std::vector<float> planes)>;

std::vector<float> right_input(std::vector<float> planes) {
  return inception_input(planes, {3, 32, 32}, InputPipeline::torch_fidelity);
}

std::vector<float> run(const Graph& graph, const Params& params, const Input& input) {
  ThreadPool pool(ThreadPool::default_threads());
  auto net = cpu::make_denoiser(graph, params, 2, pool, cpu::Profile::f32_direct);
  std::vector<float> x;
  for (const int k : {0, 1}) {
    const auto one = input(planes(k));
    x.insert(x.end(), one.begin(), one.end());
  }
  std::vector<float> out(2 * net->out_shape().size());
  net->predict(x, std::vector<double>(2), out);
  return out;
}

struct Net {
  Graph graph = inception(kTaps).graph;
  Params params = inception_params(graph, weights(), "formula");
};

// Relative L2 of each tap over both images.
std::vector<double> changes(const std::vector<float>& wrong) {
  static const std::vector<float> right = [] {
    const Net net;
    return run(net.graph, net.params, right_input);
  }();
  std::vector<double> all;
  std::size_t first = 0;
  for (const InceptionTap tap : kTaps) {
    double difference = 0, length = 0;
    for (const std::size_t image : {std::size_t{0}, right.size() / 2}) {
      for (std::size_t i = image + first; i < image + first + dims(tap); ++i) {
        difference += std::pow(double{wrong[i]} - right[i], 2);
        length += std::pow(double{right[i]}, 2);
      }
    }
    all.push_back(std::sqrt(difference / length));
    first += dims(tap);
  }
  return all;
}

void expect_changes(const std::vector<float>& wrong, const std::vector<double>& reference) {
  const auto got = changes(wrong);
  // The reference's table has two to three digits.
  for (std::size_t i = 0; i < std::size(kTaps); ++i) {
    EXPECT_NEAR(got[i], reference[i], 0.02 * reference[i] + 2e-6) << to_string(kTaps[i]);
  }
}

void expect_input_changes(const Input& input, const std::vector<double>& reference) {
  const Net net;
  expect_changes(run(net.graph, net.params, input), reference);
}

// Plane by plane: out(y, x) = sum over taps of weights; `taps` says where a position along an axis
// of `from` pixels reads, and how much.
struct AxisTaps {
  int first;
  std::vector<double> weights;
};

std::vector<float> resized(const std::vector<float>& p, int from,
                           const std::function<AxisTaps(int)>& taps) {
  const auto clamped = [&](int i) { return std::clamp(i, 0, from - 1); };
  std::vector<float> out;
  for (int c = 0; c < 3; ++c) {
    for (int y = 0; y < 299; ++y) {
      const AxisTaps down = taps(y);
      for (int x = 0; x < 299; ++x) {
        const AxisTaps right = taps(x);
        double sum = 0;
        for (std::size_t i = 0; i < down.weights.size(); ++i) {
          const int row = clamped(down.first + static_cast<int>(i));
          for (std::size_t j = 0; j < right.weights.size(); ++j) {
            const int column = clamped(right.first + static_cast<int>(j));
            sum += down.weights[i] * right.weights[j] * p[(c * from + row) * from + column];
          }
        }
        out.push_back(static_cast<float>((sum - 128) / 128));
      }
    }
  }
  return out;
}

// The corners of both images on one another.
AxisTaps align_corners(int i) {
  const double at = i * 31.0 / 298;
  const int first = static_cast<int>(at);
  return {first, {1 - (at - first), at - first}};
}

// Keys' cubic with a = -0.75 around half-pixel centres, as torch has it.
AxisTaps torch_bicubic(int i) {
  constexpr double a = -0.75;
  const double at = (i + 0.5) * 32 / 299 - 0.5, floor = std::floor(at), t = at - floor;
  const auto near = [&](double d) { return ((a + 2) * d - (a + 3)) * d * d + 1; };
  const auto far = [&](double d) { return ((a * d - 5 * a) * d + 8 * a) * d - 4 * a; };
  return {static_cast<int>(floor) - 1, {far(t + 1), near(t), near(1 - t), far(2 - t)}};
}

TEST(InceptionMistakes, InTheResize) {
  expect_input_changes([](std::vector<float> p) { return resized(p, 32, align_corners); },
                       {0.008822724865106822, 0.009518212051645812, 0.009777448711870213,
                        0.01225405723272707, 0.012020648975183292});
  expect_input_changes([](std::vector<float> p) { return resized(p, 32, torch_bicubic); },
                       {0.025306672301629148, 0.04090170125481383, 0.038167417175576056,
                        0.03767879441349802, 0.037120816626651607});
}

TEST(InceptionMistakes, InTheInput) {
  expect_input_changes(
      [](std::vector<float> p) {
        auto x = resize_torch(p, {3, 32, 32}, 299, 299);
        for (float& v : x) v = (v - 128) / 128;
        return x;
      },
      {0.010063903839611506, 0.009598741119505495, 0.008876127939565187, 0.010961598477396903,
       0.010738188426806482});
  expect_input_changes(
      [](std::vector<float> p) {
        auto x = resize_tf1(p, {3, 32, 32}, 299, 299);
        for (float& v : x) v = (std::nearbyint(v) - 128) / 128;
        return x;
      },
      {0.00047909905199841445, 0.0004939623298216132, 0.0003507408064877082, 0.00044575560356189506,
       0.00044820203275675215});
  expect_input_changes(
      [](std::vector<float> p) {
        auto x = resize_tf1(p, {3, 32, 32}, 299, 299);
        for (float& v : x) v = (v - 127.5f) / 127.5f;
        return x;
      },
      {0.006114013851867796, 0.005973234119215908, 0.0036026448950117838, 0.0036107963698933146,
       0.003597385676399188});
  expect_input_changes(
      [](std::vector<float> p) {
        std::swap_ranges(p.begin(), p.begin() + 1024, p.begin() + 2048);
        return right_input(p);
      },
      {0.2513259912964389, 0.2229718436920965, 0.07824815694937068, 0.06452240279409238,
       0.0654733540349853});
}

// Every row of the graph, changed by `change` where it applies.
std::vector<float> run_changed(const std::function<bool(Node&)>& change) {
  Net net;
  int changed = 0;
  for (Value v = 0; v < static_cast<Value>(net.graph.nodes().size()); ++v) {
    Node node = net.graph.node(v);
    if (!change(node)) continue;
    net.graph.replace(v, node);
    ++changed;
  }
  EXPECT_GT(changed, 0);
  return run(net.graph, net.params, right_input);
}

TEST(InceptionMistakes, InThePools) {
  expect_changes(run_changed([](Node& n) {
                   n.a.count_padding = true;
                   return n.op == Op::avg_pool;
                 }),
                 {0, 0, 0.06432905060573739, 0.04204381912223231, 0.040417276127665755});
  expect_changes(run_changed([](Node& n) {
                   if (n.op != Op::max_pool || n.a.stride != 1) return false;
                   n.op = Op::avg_pool;
                   return true;
                 }),
                 {0, 0, 0, 0.11876180627877043, 0.11630804861101203});
}

TEST(InceptionMistakes, InTheKernelsThatAreNotSquare) {
  expect_changes(run_changed([](Node& n) {
                   if (n.a.kernel_w == 0) return false;
                   std::swap(n.a.kernel, n.a.kernel_w);
                   n.a.pad_before = n.a.pad_after = n.a.kernel / 2;
                   n.a.pad_w = n.a.kernel_w / 2;
                   return true;
                 }),
                 {0, 0, 0.044529659594445985, 0.09149577875109724, 0.08666164735446573});
}

TEST(InceptionMistakes, InTheOrderOfTheLastBlocksBranches) {
  expect_changes(run_changed([](Node& n) {
                   // 2a reads what 2b has: the same as changing their places.
                   const auto swap = [&](const char* a, const char* b) {
                     const std::size_t at = n.param.rfind(a);
                     if (at == std::string::npos || n.param.substr(at) != a) return false;
                     n.param.replace(at, std::string::npos, b);
                     std::swap(n.a.kernel, n.a.kernel_w);
                     n.a.pad_before = n.a.pad_after = n.a.kernel / 2;
                     n.a.pad_w = n.a.kernel_w / 2;
                     return true;
                   };
                   return swap("branch3x3_2a", "branch3x3_2b") ||
                          swap("branch3x3_2b", "branch3x3_2a");
                 }),
                 {0, 0, 0, 0.792549940293496, 0.7823121144141014});
}

TEST(InceptionMistakes, InBatchNormsEpsilon) {
  Net net;
  for (const ParamSpec& spec : net.graph.params()) {
    if (!spec.name.ends_with(".weight") || spec.name.starts_with("fc.")) continue;
    const std::string conv = spec.name.substr(0, spec.name.rfind('.'));
    const auto of = [&](const char* part) {
      return to_floats(weights().tensors.at(conv + ".bn." + part));
    };
    const auto w = to_floats(weights().tensors.at(conv + ".conv.weight"));
    const auto gamma = of("weight"), beta = of("bias"), mean = of("running_mean"),
               variance = of("running_var");
    const auto to = net.params.tensor(spec.name), bias = net.params.tensor(conv + ".bias");
    const std::size_t fan = w.size() / gamma.size();
    for (std::size_t i = 0; i < w.size(); ++i) {
      to[i] = static_cast<float>(w[i] * (gamma[i / fan] / std::sqrt(variance[i / fan] + 1e-5)));
    }
    for (std::size_t o = 0; o < gamma.size(); ++o) {
      bias[o] = static_cast<float>(beta[o] - mean[o] * (gamma[o] / std::sqrt(variance[o] + 1e-5)));
    }
  }
  expect_changes(run(net.graph, net.params, right_input),
                 {0.001547468888330034, 0.0025819436341418004, 0.010375343495746458,
                  0.012996833751894407, 0.01284473177868418});
}

}  // namespace
}  // namespace ddpm
