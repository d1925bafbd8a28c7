// Networks that are not the paper's, from the command line: classes, tables, learned variances.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ddpm/net/safetensors.h"
#include "tests/cli_fixture.h"

namespace ddpm::test {
namespace {

using testing::HasSubstr;

// tests/golden/models: net-learned has 7 classes and a table of times, net-variance twice the
// output channels, net-fourier classes that are numbers.
std::string model(const std::string& name) {
  return DDPM_SOURCE_DIR "/tests/golden/models/" + name;
}

RawTensor integers(const std::vector<std::int64_t>& values) {
  std::string bytes(reinterpret_cast<const char*>(values.data()), 8 * values.size());
  return {DType::i64, {static_cast<std::int64_t>(values.size())}, bytes};
}

class CliNetworks : public Cli {
 protected:
  // x, t and class_labels of the model's own expected.safetensors, some replaced.
  Outcome predict(const std::string& name, const std::map<std::string, RawTensor>& replaced) {
    const TensorFile expected =
        value_or_throw(read_safetensors(model(name) + "/expected.safetensors"));
    TensorFile in;
    for (const char* tensor : {"x", "t", "class_labels"}) {
      const auto found = expected.tensors.find(tensor);
      if (found != expected.tensors.end()) in.tensors.insert(*found);
    }
    for (const auto& [tensor, value] : replaced) {
      in.tensors.erase(tensor);
      if (!value.shape.empty()) in.tensors[tensor] = value;
    }
    folder_.write("in.safetensors", encode_safetensors(in));
    return ddpm({"predict", model(name), "in.safetensors", "out.safetensors"});
  }
};

TEST_F(CliNetworks, PredictGivesEachImageItsClass) {
  ASSERT_EQ(predict("net-learned", {}).code, 0);
  const auto together = read_safetensors(folder_ / "out.safetensors").value().tensors.at("out");
  ASSERT_EQ(predict("net-learned", {{"class_labels", integers({3, 5, 6})}}).code, 0);
  const auto other = read_safetensors(folder_ / "out.safetensors").value().tensors.at("out");
  const std::size_t image = together.bytes.size() / 3;
  EXPECT_EQ(together.bytes.substr(0, image), other.bytes.substr(0, image));
  EXPECT_NE(together.bytes.substr(image, image), other.bytes.substr(image, image));
  EXPECT_EQ(together.bytes.substr(2 * image), other.bytes.substr(2 * image));
}

TEST_F(CliNetworks, PredictWritesTheVarianceToo) {
  ASSERT_EQ(predict("net-variance", {}).code, 0);
  const auto out = read_safetensors(folder_ / "out.safetensors").value().tensors.at("out");
  EXPECT_EQ(out.shape, (std::vector<std::int64_t>{3, 4, 4, 8}));
}

TEST_F(CliNetworks, PredictRefusesClassesAndTimesThatTheNetworkLacks) {
  struct Case {
    std::string model, tensor;
    RawTensor value;  // no shape: left out
    int code;
    std::string message;
  };
  const RawTensor halves = f32_tensor(std::vector<float>{0.5, 1, 2}, {3});
  const Case table[] = {
      {"net-learned", "class_labels", {}, 2, "without dropping labels"},
      {"net-learned", "class_labels", integers({1, 2, 7}), 2, "got class 7, expected 0..6"},
      {"net-learned", "class_labels", integers({1, 2, -1}), 2, "without dropping labels"},
      {"net-learned", "class_labels", integers({1, 2, -2}), 3, "got -2, expected classes"},
      {"net-learned", "class_labels", integers({1, 2}), 3, "is not [3] integers"},
      {"net-learned", "class_labels", halves, 3, "is not [3] integers"},
      {"net-learned", "t", halves, 2, "got 0.5, expected whole numbers 0..999"},
      {"net-variance", "class_labels", integers({0, 0, 0}), 2, "has no classes"},
  };
  for (const Case& c : table) {
    const Outcome outcome = predict(c.model, {{c.tensor, c.value}});
    EXPECT_EQ(outcome.code, c.code) << c.message;
    EXPECT_THAT(outcome.err, HasSubstr(c.message));
  }
}

TEST_F(CliNetworks, InfoShowsWhatTheNetworkIs) {
  const Outcome learned = ddpm({"info", model("net-learned")});
  EXPECT_THAT(learned.out, HasSubstr("features    scale_shift, learned time embedding\n"));
  EXPECT_THAT(learned.out, HasSubstr("classes     7\n"));
  EXPECT_THAT(learned.out, HasSubstr("heads of 5\n"));
  const Outcome json = ddpm({"info", model("net-fourier"), "--json"});
  EXPECT_THAT(json.out, HasSubstr("\"time_embedding_type\": \"fourier\""));
}

TEST_F(CliNetworks, SampleDrawsWithALearnedVariance) {
  const Outcome outcome =
      ddpm({"sample", model("net-variance"), "-n", "2", "--plan", "ddpm:5", "-o", "images.npy"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_TRUE(std::filesystem::exists(folder_ / "images.npy"));
}

TEST_F(CliNetworks, BenchGivesThemLabelsAndTimesOfTheirTables) {
  const Outcome outcome = ddpm({"bench", model("net-learned"), "--batch", "2", "--train"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
}

}  // namespace
}  // namespace ddpm::test
