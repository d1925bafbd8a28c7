// FID's network against torch-fidelity's module in float64 (tests/golden/metrics/inception.txt).
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "ddpm/base/error.h"
#include "ddpm/engine/cpu/cpu.h"
#include "ddpm/image/resize_float.h"
#include "ddpm/metrics/feature_net.h"
#include "ddpm/net/inception_for_test.h"

namespace ddpm {
namespace {

struct GoldenLine {
  std::string image, name;
  std::vector<double> values;
};

// The lines of a kind: "conv", "stage", "tap".
std::vector<GoldenLine> golden(const std::string& kind) {
  std::ifstream file(std::string(DDPM_SOURCE_DIR) + "/tests/golden/metrics/inception.txt");
  std::vector<GoldenLine> lines;
  for (std::string text; std::getline(file, text);) {
    std::istringstream words(text);
    std::string first;
    GoldenLine line;
    words >> first >> line.image >> line.name;
    if (first != kind) continue;
    for (double x; words >> x;) line.values.push_back(x);
    lines.push_back(line);
  }
  EXPECT_FALSE(lines.empty()) << kind;
  return lines;
}

std::vector<float> input_of(const FormulaImages& set, int k, InputPipeline pipeline) {
  const auto bytes = formula_image(set, k);
  const std::vector<float> planes(bytes.begin(), bytes.end());
  return inception_input(planes, {3, set.height, set.width}, pipeline);
}

const TensorFile& weights() {
  static const TensorFile file = formula_inception();
  return file;
}

std::vector<float> run(const Graph& graph, std::span<const float> x,
                       cpu::Profile profile = cpu::Profile::f32_direct) {
  ThreadPool pool(ThreadPool::default_threads());
  const int n = static_cast<int>(x.size() / graph.shape(0).size());
  auto net =
      cpu::make_denoiser(graph, inception_params(graph, weights(), "formula"), n, pool, profile);
  std::vector<float> out(n * net->out_shape().size());
  const std::vector<double> time(n);
  net->predict(x, time, out);
  return out;
}

constexpr InceptionTap kTaps[] = {InceptionTap::block64,         InceptionTap::block192,
                                  InceptionTap::block768,        InceptionTap::pool,
                                  InceptionTap::logits_unbiased, InceptionTap::logits,
                                  InceptionTap::spatial};

struct GoldenImage {
  const char* label;
  const FormulaImages& set;
  int k;
};
const GoldenImage kImages[] = {{"A32:0", kA32, 0},
                               {"A32:1", kA32, 1},
                               {"A64x48:0", kA64x48, 0},
                               {"A64x48:1", kA64x48, 1},
                               {"A400x350:0", kA400x350, 0}};

double dot(std::span<const float> f) {
  double sum = 0;
  for (std::size_t i = 0; i < f.size(); ++i) {
    sum += double{f[i]} * formula_value(55, static_cast<std::uint32_t>(i));
  }
  return sum;
}

// One tap of one image against a line of mean, length, dot, 8 firsts and 13 probes.
void expect_tap(std::span<const float> f, const GoldenLine& line, double tolerance) {
  double sum = 0, squares = 0, top = 0;
  for (const float x : f) {
    sum += x;
    squares += double{x} * x;
    top = std::max(top, std::abs(double{x}));
  }
  const double allowed = tolerance * top, n = static_cast<double>(f.size());
  const std::string what = line.image + " " + line.name;
  EXPECT_NEAR(sum / n, line.values[0], allowed) << what;
  EXPECT_NEAR(std::sqrt(squares), line.values[1], allowed * std::sqrt(n)) << what;
  EXPECT_NEAR(dot(f), line.values[2], allowed * std::sqrt(n)) << what;
  for (int i = 0; i < 8; ++i) EXPECT_NEAR(f[i], line.values[3 + i], allowed) << what << " " << i;
  for (int j = 0; j < 13; ++j) {
    const std::size_t i = j * (f.size() - 1) / 12;
    EXPECT_NEAR(f[i], line.values[11 + j], allowed) << what << " " << i;
  }
}

// The reference's own float32 is within 4.2e-7 of the largest value at every tap; products in
// another order and weights rounded after batch norm is folded in make up to about four times that.
// Every mistake of the network or its input changes a tap by 3.5e-4 and more.
constexpr double kTapTol = 2e-6, kLogitTol = 5e-6;

TEST(InceptionGolden, TapsAreTheReferences) {
  const Graph graph = inception(kTaps).graph;
  std::vector<float> x;
  for (const GoldenImage& image : kImages) {
    const auto one = input_of(image.set, image.k, InputPipeline::torch_fidelity);
    x.insert(x.end(), one.begin(), one.end());
  }
  const auto out = run(graph, x);
  int compared = 0;
  const auto lines = golden("tap");
  for (std::size_t i = 0; i < std::size(kImages); ++i) {
    std::size_t at = i * graph.shape(graph.output).size();
    for (const InceptionTap tap : kTaps) {
      for (const GoldenLine& line : lines) {
        if (line.image != kImages[i].label || line.name != to_string(tap)) continue;
        const bool logits = line.name.starts_with("logits");
        expect_tap(std::span(out).subspan(at, dims(tap)), line, logits ? kLogitTol : kTapTol);
        ++compared;
      }
      at += dims(tap);
    }
  }
  EXPECT_EQ(compared, 35);
}

// Every convolution and stage of one image, flattened one after another.
struct AllValues {
  explicit AllValues(std::span<const float> x) {
    constexpr InceptionTap kPool[] = {InceptionTap::pool};
    Inception net = inception(kPool);
    Graph& g = net.graph;
    Value out = kNoValue;
    for (const auto& [name, value] : net.named) {
      shapes[name] = g.shape(value);
      const Value flat = g.flatten(value);
      out = out == kNoValue ? flat : g.concat(out, flat);
    }
    g.output = out;
    values = run(g, x);
    std::size_t at = 0;
    for (const auto& [name, shape] : shapes) {
      of[name] = std::span(values).subspan(at, shape.size());
      at += shape.size();
    }
  }

  std::map<std::string, Shape> shapes;
  std::vector<float> values;
  std::map<std::string, std::span<const float>> of;
};

// The suggested limit for outputs of blocks; the reference's own float32 has up to 1.1e-6.
constexpr double kBlockTol = 3e-6;

void expect_facts(std::span<const float> v, Shape shape, const GoldenLine& line,
                  const std::vector<std::size_t>& points) {
  const std::string what = line.image + " " + line.name;
  ASSERT_EQ(shape, (Shape{static_cast<int>(line.values[0]), static_cast<int>(line.values[1]),
                          static_cast<int>(line.values[2])}))
      << what;
  double sum = 0, squares = 0, top = 0;
  for (const float x : v) {
    sum += x;
    squares += double{x} * x;
    top = std::max(top, double{x});
  }
  const double n = static_cast<double>(v.size()), allowed = kBlockTol * line.values[5];
  EXPECT_NEAR(sum / n, line.values[3], allowed) << what;
  EXPECT_NEAR(std::sqrt(squares / n), line.values[4], allowed) << what;
  EXPECT_NEAR(top, line.values[5], allowed) << what;
  for (std::size_t i = 0; i < points.size(); ++i) {
    EXPECT_NEAR(v[points[i]], line.values[6 + i], allowed) << what << " " << points[i];
  }
}

TEST(InceptionGolden, EveryConvolutionAndStageIsTheReferences) {
  int compared = 0;
  const auto convs = golden("conv"), stages = golden("stage");
  for (const GoldenImage& image : kImages) {
    const AllValues all(input_of(image.set, image.k, InputPipeline::torch_fidelity));
    for (const GoldenLine& line : convs) {
      if (line.image != image.label) continue;
      expect_facts(all.of.at(line.name), all.shapes.at(line.name), line, {0});
      ++compared;
    }
    for (const GoldenLine& line : stages) {
      if (line.image != image.label) continue;
      const Shape s = all.shapes.at(line.name);
      const std::size_t middle = (std::size_t{1} * (s.c / 3) * s.h + s.h / 2) * s.w + s.w / 3;
      expect_facts(all.of.at(line.name), s, line, {0, middle, s.size() - 1});
      ++compared;
    }
  }
  EXPECT_EQ(compared, 94 + 5 * 19);
}

// Pooled features of the reference network after each program's own preprocessing: mean, length and
// eight firsts of image 0, in float32.
struct PipelineGolden {
  const FormulaImages& set;
  InputPipeline pipeline;
  double mean, length, firsts[8];
  double change;  // of both images, relative L2 to the first pipeline
};
const PipelineGolden kPipelines[] = {
    {kA32,
     InputPipeline::torch_fidelity,
     0.4489722559462188,
     34.30597352457317,
     {0.9203356504440308, 0.0, 0.030933802947402, 0.17419585585594177, 0.20599599182605743, 0.0,
      1.2317792177200317, 0.02987757697701454},
     0},
    {kA32,
     InputPipeline::pytorch_fid,
     0.4506493905141937,
     34.43189894879732,
     {0.9312872290611267, 0.0, 0.029259227216243744, 0.18454183638095856, 0.21051949262619019, 0.0,
      1.2342753410339355, 0.02985271066427231},
     0.009731066408934739},
    {kA32,
     InputPipeline::clean_fid,
     0.46440305165379314,
     35.47799497028923,
     {0.9587855339050293, 0.0, 0.027900146320462227, 0.18686476349830627, 0.22362174093723297, 0.0,
      1.2788408994674683, 0.03139577805995941},
     0.03081539323178685},
    {kA64x48,
     InputPipeline::torch_fidelity,
     0.40900637754455493,
     31.232091416032414,
     {0.9578832983970642, 0.0, 0.019062386825680733, 0.20050972700119019, 0.15633100271224976, 0.0,
      1.0880308151245117, 0.007697988301515579},
     0},
    {kA64x48,
     InputPipeline::pytorch_fid,
     0.4096804856140608,
     31.28700938202072,
     {0.9603607654571533, 0.0, 0.019059082493185997, 0.20172671973705292, 0.1592129021883011, 0.0,
      1.09744131565094, 0.008248388767242432},
     0.006565423474775459},
    {kA64x48,
     InputPipeline::clean_fid,
     0.42015121968240887,
     32.082750928781486,
     {0.9815911054611206, 0.0, 0.01846967823803425, 0.20138587057590485, 0.1677474081516266, 0.0,
      1.123976707458496, 0.009160192683339119},
     0.026392059432237026}};

TEST(InceptionGolden, EachInputPipelineGivesItsProgramsFeatures) {
  constexpr InceptionTap kPool[] = {InceptionTap::pool};
  constexpr std::size_t kBoth = 2 * 2048;  // of images 0 and 1
  const Graph graph = inception(kPool).graph;
  std::vector<float> x;
  for (const PipelineGolden& p : kPipelines) {
    for (const int k : {0, 1}) {
      const auto one = input_of(p.set, k, p.pipeline);
      x.insert(x.end(), one.begin(), one.end());
    }
  }
  const auto out = run(graph, x);
  for (std::size_t i = 0; i < std::size(kPipelines); ++i) {
    const auto f = std::span(out).subspan(i * kBoth, kBoth);
    const auto usual = std::span(out).subspan(i / 3 * 3 * kBoth, kBoth);
    double sum = 0, squares = 0, usual_squares = 0, differences = 0;
    for (std::size_t c = 0; c < kBoth; ++c) {
      if (c < 2048) sum += f[c];
      if (c < 2048) squares += double{f[c]} * f[c];
      usual_squares += double{usual[c]} * usual[c];
      differences += std::pow(double{f[c]} - usual[c], 2);
    }
    constexpr double kTop = 5;  // of these features; tolerances as above
    const double length = std::sqrt(squares), allowed = kTapTol * kTop;
    EXPECT_NEAR(sum / 2048, kPipelines[i].mean, allowed) << i;
    EXPECT_NEAR(length, kPipelines[i].length, allowed * std::sqrt(2048)) << i;
    for (int c = 0; c < 8; ++c) EXPECT_NEAR(f[c], kPipelines[i].firsts[c], allowed) << i;
    EXPECT_NEAR(std::sqrt(differences / usual_squares), kPipelines[i].change,
                2 * allowed * std::sqrt(2048) / length)
        << i;
  }
}

// guided-diffusion reshapes [17, 17, 7], so that its mu_s and ours can be compared.
TEST(InceptionGolden, SpatialFeaturesLieAsGuidedDiffusions) {
  constexpr InceptionTap kSpatial[] = {InceptionTap::spatial};
  const auto planes =
      run(inception(kSpatial).graph, input_of(kA32, 1, InputPipeline::torch_fidelity));
  ThreadPool pool(ThreadPool::default_threads());
  const auto net = inception_net(weights(), "formula", {.logits = false}, pool);
  const auto bytes = formula_image(kA32, 1);
  const Planes image{{3, 32, 32}, {bytes.begin(), bytes.end()}};
  std::vector<float> out(dims(InceptionTap::pool) + dims(InceptionTap::spatial));
  net->run(std::span(&image, 1), out);
  const auto spatial = std::span(out).subspan(dims(InceptionTap::pool));
  for (int c = 0; c < kSpatialChannels; ++c) {
    for (int p = 0; p < 17 * 17; ++p) {
      ASSERT_EQ(spatial[p * kSpatialChannels + c], planes[c * 17 * 17 + p]) << p << " " << c;
    }
  }
}

TEST(InceptionGolden, GrayIsThreeEqualChannels) {
  ThreadPool pool(ThreadPool::default_threads());
  const auto net = inception_net(weights(), "formula", {.logits = false, .spatial = false}, pool);
  const auto bytes = formula_image(kA32, 0);
  const std::vector<float> one(bytes.begin(), bytes.begin() + 32 * 32);
  std::vector<float> three;
  for (int c = 0; c < 3; ++c) three.insert(three.end(), one.begin(), one.end());
  const Planes images[] = {{{1, 32, 32}, one}, {{3, 32, 32}, three}};
  std::vector<float> out(2 * dims(InceptionTap::pool));
  net->run(images, out);
  const std::size_t n = out.size() / 2;
  EXPECT_TRUE(std::equal(out.begin(), out.begin() + n, out.begin() + n));
  EXPECT_NE(out[0], 0);
}

bool choose_isa(const char* isa) {
  setenv("DDPM_ISA", isa, 1);
  try {
    cpu::select_isa_from_environment();
    return true;
  } catch (const Error&) {
    return false;  // this CPU lacks it
  }
}

TEST(InceptionGolden, HasTheSameBitsOnAvx2AndAvx512) {
  constexpr InceptionTap kPool[] = {InceptionTap::pool};
  const Graph graph = inception(kPool).graph;
  const auto x = input_of(kA32, 1, InputPipeline::torch_fidelity);
  for (const auto profile : {cpu::Profile::f32, cpu::Profile::f32_direct}) {
    std::vector<std::vector<float>> results;
    for (const char* isa : {"avx2", "avx512"}) {
      if (choose_isa(isa)) results.push_back(run(graph, x, profile));
    }
    unsetenv("DDPM_ISA");
    if (results.size() < 2) GTEST_SKIP() << "this CPU has one of them at most";
    for (const auto& result : results) EXPECT_EQ(result, results[0]);
  }
}

// Winograd's transforms enlarge rounding by at most 5.7 an axis pair (engine_test.cpp).
TEST(InceptionGolden, TheFastProfileIsNear) {
  constexpr InceptionTap kPool[] = {InceptionTap::pool};
  const Graph graph = inception(kPool).graph;
  const auto x = input_of(kA32, 0, InputPipeline::torch_fidelity);
  const auto fast = run(graph, x, cpu::Profile::f32), direct = run(graph, x);
  for (std::size_t i = 0; i < fast.size(); ++i) EXPECT_NEAR(fast[i], direct[i], 5.7 * kTapTol * 5);
}

}  // namespace
}  // namespace ddpm
