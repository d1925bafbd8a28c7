#include "ddpm/net/torch_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "ddpm/base/file.h"
#include "ddpm/base/temp_folder.h"
#include "ddpm/base/zip.h"
#include "ddpm/net/pickle.h"

namespace ddpm {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::string golden(const char* name) {
  return value_or_throw(read_file(std::string(DDPM_SOURCE_DIR) + "/tests/golden/net/" + name));
}

const char* const kFiles[] = {"small.pth", "small-legacy.pth"};

TEST(TorchFile, ReadsEveryKindOfTensorThatTorchSaves) {
  for (const char* name : kFiles) {
    const TensorFile file = parse_torch_file(golden(name), name).value();
    EXPECT_EQ(file.tensors.size(), 15U);
    const auto floats = [&](const char* tensor) { return to_floats(file.tensors.at(tensor)); };
    EXPECT_EQ(floats("ramp")[23], 23);
    EXPECT_EQ(file.tensors.at("ramp").shape, (std::vector<std::int64_t>{2, 3, 4}));
    EXPECT_THAT(floats("part"), ElementsAre(5, 6, 7, 8, 9, 10));
    EXPECT_THAT(floats("parameter"), ElementsAre(1.5f, -2.5f));
    EXPECT_THAT(floats("half"), ElementsAre(0.5f, 65504.0f));
    EXPECT_THAT(floats("bf16"), ElementsAre(3.0f));
    EXPECT_THAT(floats("double"), ElementsAre(1.0f / 3));
    EXPECT_EQ(file.tensors.at("bytes").bytes, std::string("\0\xff", 2));
    EXPECT_EQ(file.tensors.at("ints").dtype, DType::i32);
    EXPECT_EQ(file.tensors.at("none").bytes, "");
    EXPECT_EQ(file.tensors.at("num_batches_tracked").shape.size(), 0U);
    EXPECT_THAT(floats("running_var"), ElementsAre(1, 1, 1));
  }
}

TEST(TorchFile, PutsTurnedTensorsIntoCOrder) {
  for (const char* name : kFiles) {
    const TensorFile file = parse_torch_file(golden(name), name).value();
    const RawTensor& turned = file.tensors.at("turned");
    EXPECT_EQ(turned.shape, (std::vector<std::int64_t>{4, 2, 3}));
    const auto values = to_floats(turned);
    for (int i = 0; i < 24; ++i) {  // [k, a, b] is ramp[a, b, k]
      EXPECT_EQ(values[i], i / 3 % 2 * 12 + i % 3 * 4 + i / 6) << name << i;
    }
  }
}

TEST(TorchFile, IsKnownByItsContent) {
  TempFolder folder;
  folder.write("torch.bin", golden("small.pth"));
  folder.write("old.bin", golden("small-legacy.pth"));
  folder.write("safe.bin", golden("types.safetensors"));
  EXPECT_EQ(read_tensor_file(folder / "torch.bin").value().tensors.size(), 15U);
  EXPECT_EQ(read_tensor_file(folder / "old.bin").value(),
            read_tensor_file(folder / "torch.bin").value());
  EXPECT_GT(read_tensor_file(folder / "safe.bin").value().tensors.size(), 0U);
  EXPECT_EQ(read_tensor_file(folder / "missing").error().code, FailureCode::io);
}

TEST(TorchFile, RefusesEveryShortenedFile) {
  for (const char* name : kFiles) {
    const std::string good = golden(name);
    for (std::size_t size = 0; size < good.size(); ++size) {
      ASSERT_FALSE(parse_torch_file(good.substr(0, size), "x").has_value()) << name << size;
    }
  }
}

RC_GTEST_PROP(TorchFile, SurvivesAnyChangedBytes, ()) {
  std::string bytes = golden(kFiles[*rc::gen::inRange(0, 2)]);
  for (int i = 0; i < 3; ++i) {
    char& byte = bytes[*rc::gen::inRange<std::size_t>(0, bytes.size())];
    byte = static_cast<char>(byte ^ 1 << *rc::gen::inRange(0, 8));
  }
  const auto file = parse_torch_file(bytes, "x");
  if (!file) RC_ASSERT(!file.error().message.empty());
}

std::string message_of(const std::string& pickle) {
  const std::string bytes = write_zip({{"a/data.pkl", "\x80\x02" + pickle}});
  const auto file = parse_torch_file(bytes, "w.pth");
  return file ? "no failure" : file.error().message;
}

std::string text_op(const std::string& text) {
  return "X" + std::string(1, static_cast<char>(text.size())) + std::string(3, '\0') + text;
}

// What `python3 -m pickletools` would run, and other ways to make a reader do what it should not.
TEST(TorchFile, RunsNothing) {
  EXPECT_THAT(message_of("cposix\nsystem\n" + text_op("id") + "\x85R."),
              HasSubstr("\"posix system\""));
  EXPECT_THAT(message_of("cbuiltins\neval\n)R."), HasSubstr("may run code"));
  EXPECT_THAT(message_of("ctorch._utils\n_rebuild_tensor\n)R."), HasSubstr("_rebuild_tensor\""));
  EXPECT_THAT(message_of("(iposix\nsystem\n."), HasSubstr("opcode 0x69"));        // INST
  EXPECT_THAT(message_of(text_op("a") + "\x93."), HasSubstr("opcode 0x93"));      // STACK_GLOBAL
  EXPECT_THAT(message_of("\x81."), HasSubstr("opcode 0x81"));                     // NEWOBJ
  EXPECT_THAT(message_of("K\1\x82."), HasSubstr("byte 4: got the opcode 0x82"));  // EXT1
}

// {"w": a tensor of these arguments} over a storage of four floats.
std::string tensor_pickle(const std::string& offset, const std::string& shape,
                          const std::string& strides, const std::string& elements = "K\4") {
  return "}" + text_op("w") + "ctorch._utils\n_rebuild_tensor_v2\n((" + text_op("storage") +
         "ctorch\nFloatStorage\n" + text_op("0") + text_op("cpu") + elements + "tQ" + offset +
         shape + strides + "\x89)tRs.";
}

std::string tensor_message(const std::string& pickle) {
  const std::string bytes =
      write_zip({{"a/data.pkl", "\x80\x02" + pickle}, {"a/data/0", std::string(16, '\0')}});
  const auto file = parse_torch_file(bytes, "w.pth");
  return file ? "no failure" : file.error().message;
}

TEST(TorchFile, ChecksEveryNumberAgainstTheStorage) {
  const std::string good = tensor_pickle(std::string("K\0", 2), "K\4\x85", "K\1\x85");
  EXPECT_EQ(tensor_message(good), "no failure");
  const std::string zero("K\0", 2);
  for (const std::string& bad : {
           tensor_pickle("K\1", "K\4\x85", "K\1\x85"),                       // ends beyond
           tensor_pickle(zero, "K\5\x85", "K\1\x85"),                        // too long
           tensor_pickle(zero, "K\4\x85", "K\2\x85"),                        // stride too long
           tensor_pickle(zero, "K\4\x85", std::string("K\0\x85", 3) + "0"),  // an unknown opcode
           tensor_pickle(zero, "K\4K\4\x86", std::string("K\0K\1\x86", 5)),  // grows by expansion
           tensor_pickle(zero, "J\xff\xff\xff\xff\x85", "K\1\x85"),          // negative
           tensor_pickle("J\xff\xff\xff\xff", "K\1\x85", "K\1\x85"),
           tensor_pickle(zero, "K\4\x85", "K\1K\1\x86"),  // axes differ
           tensor_pickle(zero, "J\xff\xff\xff\x7fJ\xff\xff\xff\x7f\x86", "K\1K\1\x86"),
           tensor_pickle(zero, "K\2\x85", "J\xff\xff\xff\x7f\x85"),
           tensor_pickle(zero, "K\4\x85", "K\1\x85", "J\xff\xff\xff\x7f"),  // a storage cut short
       }) {
    EXPECT_NE(tensor_message(bad), "no failure");
  }
  EXPECT_THAT(tensor_message(tensor_pickle(zero, "K\5\x85", "K\1\x85")),
              HasSubstr("tensor \"w\": a shape that does not fit its storage"));
}

TEST(TorchFile, RefusesWhatIsNoDictionaryOfTensors) {
  EXPECT_THAT(message_of("K\1."), HasSubstr("expected a dictionary of tensors"));
  EXPECT_THAT(message_of("}" + text_op("w") + "K\1s."), HasSubstr("\"w\" is no tensor"));
  EXPECT_THAT(message_of("}K\1K\1s."), HasSubstr("a key that is no text"));
  EXPECT_THAT(parse_torch_file(write_zip({{"a/constants.pkl", ""}}), "x").error().message,
              HasSubstr("TorchScript"));
  EXPECT_THAT(parse_torch_file(write_zip({{"a.png", ""}}), "x").error().message,
              HasSubstr("without data.pkl"));
  EXPECT_THAT(parse_torch_file("\x80\x02K\1.", "x").error().message, HasSubstr("cut short"));
  EXPECT_THAT(parse_torch_file("\x80\x04K\1.", "x").error().message, HasSubstr("protocol 4"));
}

TEST(Pickle, RefusesBrokenStacks) {
  for (const std::string& bad :
       {std::string("."), std::string("NN."), std::string("t."), std::string("(."),
        std::string("\x86."), std::string("Na."), std::string("]Nu."), std::string("}(Nu."),
        std::string("h\1."), std::string("q\1."), std::string("R."), std::string("NNR."),
        std::string("Nb."), std::string("NNb."), std::string("Q.")}) {
    EXPECT_FALSE(parse_pickle(bad, {}, "x").has_value()) << bad;
  }
}

TEST(Pickle, HoldsNoMoreValuesThanAModelNeeds) {
  const std::string many(kMostPickleValues + 1, 'N');
  EXPECT_EQ(parse_pickle(many + ".", {}, "x").error().code, FailureCode::unsupported);
}

TEST(Pickle, ReadsNumbersOfEveryWidth) {
  const auto top = [](const std::string& bytes) {
    const Pickle p = parse_pickle(bytes + ".", {}, "x").value();
    EXPECT_EQ(p.size, bytes.size() + 1);
    return p.at(p.top);
  };
  EXPECT_EQ(top("J\xfe\xff\xff\xff").integer, -2);
  EXPECT_EQ(top("M\1\2").integer, 513);
  EXPECT_EQ(top(std::string("\x8a\2\0\x80", 4)).integer, -32768);
  EXPECT_EQ(top(std::string("\x8a\0", 2)).integer, 0);
  EXPECT_EQ(top(std::string("G\x3f\xf8\0\0\0\0\0\0", 9)).real, 1.5);
  EXPECT_EQ(top("\x88").integer, 1);
}

// A list that holds itself is a circle of two values; nobody may walk it to its end.
TEST(Pickle, CirclesAreNothingToFear) {
  EXPECT_TRUE(parse_pickle("]q\1h\1a.", {}, "x").has_value());
  EXPECT_THAT(message_of("}q\1" + text_op("w") + "h\1s."), HasSubstr("\"w\" is no tensor"));
}

}  // namespace
}  // namespace ddpm
