#include "ddpm/net/inception.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>
#include <numeric>
#include <sstream>

#include "ddpm/base/error.h"
#include "ddpm/base/file.h"
#include "ddpm/net/inception_for_test.h"

namespace ddpm {
namespace {

using testing::HasSubstr;

constexpr InceptionTap kAll[] = {InceptionTap::block64,  InceptionTap::block192,
                                 InceptionTap::block768, InceptionTap::pool,
                                 InceptionTap::logits,   InceptionTap::logits_unbiased,
                                 InceptionTap::spatial};

const TensorFile& weights() {
  static const TensorFile file = formula_inception();
  return file;
}

std::string failure_of(const TensorFile& file) {
  try {
    inception_params(inception(kAll).graph, file, "w.pth");
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ExitCode::bad_input);
    return e.what();
  }
  return "no error";
}

TEST(Inception, HasThePublicFilesTensors) {
  const auto tensors = inception_tensors();
  std::size_t floats = 0, convs = 0;
  for (const ParamSpec& spec : tensors) {
    floats += spec.size();
    convs += spec.shape.size() == 4;
  }
  EXPECT_EQ(tensors.size(), 472U);
  EXPECT_EQ(convs, 94U);
  EXPECT_EQ(floats, 23885392U);
}

TEST(Inception, MultipliesAsOftenAsTheReference) {
  constexpr InceptionTap kPool[] = {InceptionTap::pool};
  const Graph g = inception(kPool).graph;
  double products = 0;
  for (const Node& node : g.nodes()) {
    if (node.op != Op::conv) continue;
    products += static_cast<double>(node.shape.size()) * g.shape(node.inputs[0]).c * node.a.taps();
  }
  EXPECT_NEAR(products / 1e9, 5.711, 5e-4);  // GMAC an image
}

TEST(Inception, FormulaWeightsHaveTheGoldenBits) {
  std::istringstream lines(value_or_throw(
      read_file(std::string(DDPM_SOURCE_DIR) + "/tests/golden/metrics/inception.txt")));
  std::uint64_t all = 0;
  const auto sum = [](const RawTensor& t) {
    std::uint64_t bits = 0;
    for (const float x : to_floats(t)) bits += std::bit_cast<std::uint32_t>(x);
    return bits;
  };
  for (const auto& [name, tensor] : weights().tensors) all += sum(tensor);
  int seen = 0;
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string kind, name;
    std::uint64_t first = 0, bits = 0;
    if (!(words >> kind >> name >> first >> bits) || kind != "weights") continue;
    ++seen;
    if (name == "all") {
      EXPECT_EQ(all, bits);
      continue;
    }
    const RawTensor& t = weights().tensors.at(name);
    EXPECT_EQ(std::bit_cast<std::uint32_t>(to_floats(t)[0]), first) << name;
    EXPECT_EQ(sum(t), bits) << name;
  }
  EXPECT_EQ(seen, 13);
}

TEST(Inception, OutputIsTheTapsInTheirOrder) {
  const Graph g = inception(kAll).graph;
  int sum = 0;
  for (const InceptionTap tap : kAll) sum += dims(tap);
  EXPECT_EQ(g.shape(g.output), (Shape{sum, 1, 1}));
  for (const InceptionTap tap : kAll) {
    const InceptionTap one[] = {tap};
    const Graph alone = inception(one).graph;
    EXPECT_EQ(alone.shape(alone.output), (Shape{dims(tap), 1, 1})) << to_string(tap);
  }
}

TEST(Inception, EndsWithTheLastStageThatATapNeeds) {
  constexpr InceptionTap kEarly[] = {InceptionTap::block192};
  const Inception net = inception(kEarly);
  EXPECT_TRUE(net.named.contains("MaxPool_2"));
  EXPECT_FALSE(net.named.contains("Mixed_5b"));
}

TEST(Inception, FoldsBatchNormInDouble) {
  const Params params = inception_params(inception(kAll).graph, weights(), "w.pth");
  const std::string conv = "Mixed_6c.branch7x7dbl_4";
  const auto of = [&](const char* part) { return to_floats(weights().tensors.at(conv + part)); };
  const auto w = of(".conv.weight"), gamma = of(".bn.weight"), beta = of(".bn.bias");
  const auto mean = of(".bn.running_mean"), variance = of(".bn.running_var");
  const auto folded = params.tensor(conv + ".weight"), bias = params.tensor(conv + ".bias");
  const std::size_t fan = 160 * 7;
  for (const std::size_t o : {0, 77, 159}) {
    const double gain = gamma[o] / std::sqrt(variance[o] + 0.001);
    EXPECT_EQ(folded[o * fan + 5], static_cast<float>(w[o * fan + 5] * gain));
    EXPECT_EQ(bias[o], static_cast<float>(beta[o] - mean[o] * gain));
  }
  EXPECT_EQ(params.tensor("fc.bias")[3], to_floats(weights().tensors.at("fc.bias"))[3]);
  EXPECT_EQ(params.tensor("fc_unbiased.bias")[3], 0);
  EXPECT_EQ(params.tensor("fc_unbiased.weight")[7], params.tensor("fc.weight")[7]);
}

TEST(Inception, FingerprintKnowsTheValuesAlone) {
  TensorFile file = weights();
  const std::string before = inception_fingerprint(file);
  EXPECT_EQ(before.size(), 16U);
  file.tensors["Conv2d_1a_3x3.bn.num_batches_tracked"] = {DType::i64, {}, std::string(8, '\0')};
  EXPECT_EQ(inception_fingerprint(file), before);
  file.tensors.at("fc.bias").bytes[0] ^= 1;
  EXPECT_NE(inception_fingerprint(file), before);
}

TEST(Inception, PassesOverCountersOfBatches) {
  TensorFile file = weights();
  file.tensors["Conv2d_1a_3x3.bn.num_batches_tracked"] = {DType::i64, {}, std::string(8, '\0')};
  EXPECT_NO_THROW(inception_params(inception(kAll).graph, file, "w.pth"));
}

TEST(Inception, RefusesOtherWeightsByName) {
  TensorFile file = weights();
  file.tensors.erase("fc.bias");
  EXPECT_THAT(failure_of(file), HasSubstr("fc.bias is missing"));
  file = weights();
  file.tensors["AuxLogits.fc.weight"] = file.tensors.at("fc.bias");
  EXPECT_THAT(failure_of(file), HasSubstr("\"AuxLogits.fc.weight\" is unknown"));
  file = weights();
  file.tensors.at("fc.bias").shape = {1000};
  EXPECT_THAT(failure_of(file), HasSubstr("fc.bias is F32 [1000], not [1008]"));
  EXPECT_THAT(failure_of({}), HasSubstr("and 467 more"));
  file = weights();
  file.tensors.at("fc.bias") = f32_tensor(std::vector<float>(1008, NAN), {1008});
  EXPECT_THAT(failure_of(file), HasSubstr("fc.bias: got nan"));
  file = weights();
  file.tensors.at("Mixed_5b.branch1x1.bn.running_var") =
      f32_tensor(std::vector<float>(64, -1.0f), {64});
  EXPECT_THAT(failure_of(file), HasSubstr("running_var: got -1"));
}

}  // namespace
}  // namespace ddpm
