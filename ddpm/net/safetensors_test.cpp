#include "ddpm/net/safetensors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>
#include <sys/stat.h>

#include <cstring>

#include "ddpm/base/temp_folder.h"
#include "ddpm/net/golden_for_test.h"

namespace ddpm {
namespace {

using testing::HasSubstr;

std::string with_length(std::uint64_t n, std::string_view rest) {
  std::string bytes(8, '\0');
  std::memcpy(bytes.data(), &n, 8);
  return bytes.append(rest);
}

// A file of this header and so many bytes of data.
std::string file_of(const std::string& header, std::size_t data) {
  return with_length(header.size(), header + std::string(data, 'd'));
}

const Failure& failure_of(const Result<TensorFile>& result) {
  static const Failure accepted{FailureCode::io, "accepted"};
  return result ? accepted : result.error();
}

TensorFile small_file() {
  const std::vector<float> values = {1, -2.5f, 3e-9f};
  return {.tensors = {{"w", f32_tensor(values, {3, 1})},
                      {"h", f16_tensor(values, {3})},
                      {"e", {DType::u8, {0, 4}, ""}}},
          .metadata = {{"format", "pt"}}};
}

// tests/golden/net/README.md says how the reference wrote the file.
TEST(Safetensors, ReadsAndWritesTheReferencesFileByteForByte) {
  const std::string bytes = golden("net/types.safetensors");
  const TensorFile file = value_or_throw(parse_safetensors(bytes, "types"));
  EXPECT_EQ(file.tensors.size(), 11u);
  EXPECT_EQ(file.tensors.at("b.weight").shape, (std::vector<std::int64_t>{2, 3}));
  EXPECT_EQ(to_floats(file.tensors.at("b.weight")),
            (std::vector<float>{-0.5f, -0.25f, 0, 0.25f, 0.5f, 0.75f}));
  EXPECT_EQ(to_floats(file.tensors.at("scalar")), std::vector<float>{7});
  EXPECT_EQ(to_floats(file.tensors.at("half"))[3], 0x1p-24f);
  EXPECT_EQ(to_floats(file.tensors.at("brain"))[1], -2);
  EXPECT_EQ(file.tensors.at("ids").dtype, DType::i32);
  EXPECT_TRUE(file.tensors.contains("quote \" back \\ tab \t unit \x01 \xc3\xa9 \xed\x95\x9c"));
  EXPECT_EQ(file.metadata, (std::map<std::string, std::string>{{"format", "pt"}}));
  EXPECT_EQ(encode_safetensors(file), bytes);
}

// Each rule broken once. `%` stands for a good entry of 4 bytes at 0.
struct Abuse {
  std::string header;
  std::size_t data;
  std::string rule;  // part of the message
  FailureCode code = FailureCode::corrupt;
};

const std::string kGood = R"("w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]})";

std::string entry(const std::string& shape, const std::string& offsets,
                  const std::string& type = "F32") {
  return R"({"w":{"dtype":")" + type + R"(","shape":)" + shape + R"(,"data_offsets":)" + offsets +
         "}}";
}

std::string second(const std::string& offsets) {
  return "{" + kGood + R"(,"x":{"dtype":"F32","shape":[1],"data_offsets":)" + offsets + "}}";
}

std::vector<Abuse> broken_json() {
  return {{"", 0, "byte 0"},
          {" ", 0, "byte"},
          {"{", 0, "not JSON"},
          {"[]", 0, "a list where none may be"},
          {"1", 0, "a number where none may be"},
          {"null", 0, "null where none may be"},
          {"\"a\"", 0, "a string where none may be"},
          {"{} {}", 0, "byte 3"},
          {std::string("{}\0\0\0\0", 6), 0, "byte 2"},
          {"{}x", 0, "byte 2"},
          {"\xef\xbb\xbf{}", 0, "not JSON"},
          {"{\"\xff\":1}", 0, "not JSON"},
          {"{'w':1}", 0, "not JSON"},
          {"{" + kGood + ",}", 4, "not JSON"},
          {"{" + kGood + "/**/}", 4, "not JSON"}};
}

std::vector<Abuse> broken_entries() {
  return {
      {"{" + kGood + "," + kGood + "}", 4, "tensor \"w\" twice"},
      {R"({"w":1})", 0, "a number where none may be"},
      {R"({"w":null})", 0, "null where none may be"},
      {R"({"w":[]})", 0, "a list where none may be"},
      {R"({"w":true})", 0, "a truth value"},
      {R"({"w":{}})", 0, "dtype, shape and data_offsets are needed"},
      {R"({"w":{"dtype":"F32","shape":[1]}})", 4, "are needed"},
      {R"({"w":{"dtype":"F32","data_offsets":[0,4]}})", 4, "are needed"},
      {R"({"w":{"shape":[1],"data_offsets":[0,4]}})", 4, "are needed"},
      {R"({"w":{"dtype":"F32","dtype":"F32","shape":[1],"data_offsets":[0,4]}})", 4, "dtype twice"},
      {R"({"w":{"dtype":"F32","shape":[1],"shape":[1],"data_offsets":[0,4]}})", 4, "shape twice"},
      {R"({"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"strides":[1]}})", 4,
       "unknown field \"strides\""},
      {R"({"w":{"dtype":32,"shape":[1],"data_offsets":[0,4]}})", 4, "a number where none"},
      {R"({"w":{"dtype":["F32"],"shape":[1],"data_offsets":[0,4]}})", 4, "a list where none"},
      {R"({"w":{"dtype":"F32","shape":"1","data_offsets":[0,4]}})", 4, "a string where none"},
      {R"({"w":{"dtype":"F32","shape":{"a":1},"data_offsets":[0,4]}})", 4, "an object where none"},
      {R"({"w":{"dtype":"F32","shape":null,"data_offsets":[0,4]}})", 4, "null where none"},
      {entry("[1]", "[0,4]", "F31"), 4, "no such dtype"},
      {entry("[1]", "[0,4]", "f32"), 4, "no such dtype"},
      {entry("[1]", "[0,1]", "BOOL"), 1, "dtype BOOL is not read", FailureCode::unsupported},
      {entry("[2]", "[0,1]", "F4"), 1, "dtype F4 is not read", FailureCode::unsupported},
      {entry("[1]", "[0,8]", "C64"), 8, "dtype C64 is not read", FailureCode::unsupported},
      {entry("[[1]]", "[0,4]"), 4, "byte"},
      {entry("[\"1\"]", "[0,4]"), 4, "a string where none"},
      {entry("[-1]", "[0,4]"), 4, "-1 is no integer"},
      {entry("[-0]", "[0,0]"), 0, "-0 is no integer"},
      {entry("[1.0]", "[0,4]"), 4, "1.0 is no integer"},
      {entry("[1e0]", "[0,4]"), 4, "1e0 is no integer"},
      {entry("[18446744073709551617]", "[0,4]"), 4, "is no integer"},
      {entry("[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]", "[0,4]"), 4, "more than 16 numbers"},
      {"{\"" + std::string(1025, 'n') + R"(":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", 4,
       "more than 1024 bytes"}};
}

std::vector<Abuse> broken_places() {
  return {{entry("[1]", "[0]"), 4, "[begin, end]"},
          {entry("[1]", "[0,4,8]"), 4, "[begin, end]"},
          {entry("[1]", "[]"), 4, "[begin, end]"},
          {entry("[1]", "[0,3]"), 3, "shape and dtype take 4 bytes"},
          {entry("[1]", "[0,5]"), 5, "shape and dtype take 4 bytes"},
          {entry("[1]", "[4,0]"), 4, "shape and dtype take 4 bytes"},
          {entry("[1]", "[-4,0]"), 4, "-4 is no integer"},
          {entry("[1]", "[1,5]"), 5, "from byte 1 of the data, expected from 0"},
          {second("[8,12]"), 12, "from byte 8 of the data, expected from 4"},
          {second("[0,4]"), 4, "from byte 0 of the data, expected from 4"},
          {second("[2,6]"), 6, "from byte 2 of the data, expected from 4"},
          {entry("[4294967296,4294967296]", "[0,0]"), 0, "overflows"},
          {entry("[4294967296,4294967296,0]", "[0,0]"), 0, "overflows"},
          {entry("[9223372036854775807]", "[0,4]"), 4, "overflows"},
          {entry("[1152921504606846976]", "[0,4611686018427387904]"), 4, "cut short",
           FailureCode::need_more},
          {"{" + kGood + "}", 3, "cut short", FailureCode::need_more},
          {"{" + kGood + "}", 5, "longer than its tensors"},
          {"{}", 1, "longer than its tensors"}};
}

std::vector<Abuse> broken_metadata() {
  return {{R"({"__metadata__":null})", 0, "null where none"},
          {R"({"__metadata__":"pt"})", 0, "a string where none"},
          {R"({"__metadata__":[]})", 0, "a list where none"},
          {R"({"__metadata__":{"a":1}})", 0, "a number where none"},
          {R"({"__metadata__":{"a":null}})", 0, "null where none"},
          {R"({"__metadata__":{"a":{}}})", 0, "an object where none"},
          {R"({"__metadata__":{"a":"","a":""}})", 0, "metadata \"a\" twice"},
          {R"({"__metadata__":{},"__metadata__":{}})", 0, "__metadata__ twice"}};
}

void expect_refused(const std::vector<Abuse>& table) {
  for (const Abuse& abuse : table) {
    const auto result = parse_safetensors(file_of(abuse.header, abuse.data), "bad");
    EXPECT_THAT(failure_of(result).message, HasSubstr(abuse.rule)) << abuse.header;
    EXPECT_THAT(failure_of(result).message, HasSubstr("[net] bad")) << abuse.header;
    EXPECT_EQ(failure_of(result).code, abuse.code) << abuse.header;
  }
}

TEST(Safetensors, RefusesHeadersThatAreNoJsonObject) { expect_refused(broken_json()); }
TEST(Safetensors, RefusesEntriesThatBreakARule) { expect_refused(broken_entries()); }
TEST(Safetensors, RefusesDataWithHolesOverlapsOrWrongSizes) { expect_refused(broken_places()); }
TEST(Safetensors, RefusesMetadataThatAreNotStrings) { expect_refused(broken_metadata()); }

TEST(Safetensors, RefusesHeaderLengthsThatTheFileLacks) {
  for (const std::uint64_t n :
       {3ull, 100'000'000ull, 100'000'001ull, 1ull << 63, ~0ull, ~0ull - 7}) {
    EXPECT_THAT(failure_of(parse_safetensors(with_length(n, "{}"), "bad")).message,
                HasSubstr("a header of"))
        << n;
  }
  EXPECT_EQ(failure_of(parse_safetensors("", "bad")).code, FailureCode::need_more);
  EXPECT_EQ(failure_of(parse_safetensors("1234567", "bad")).code, FailureCode::need_more);
}

TEST(Safetensors, RefusesMoreTensorsThanAnyModelHas) {
  std::string header = "{";
  for (int i = 0; i <= 100'000; ++i) {
    header += fmt::format(R"({}"{}":{{"dtype":"U8","shape":[0],"data_offsets":[0,0]}})",
                          i == 0 ? "" : ",", i);
  }
  EXPECT_THAT(failure_of(parse_safetensors(file_of(header + "}", 0), "bad")).message,
              HasSubstr("more than 100000"));
}

TEST(Safetensors, AcceptsWhatTheSpecAllows) {
  const std::vector<Abuse> fine = {
      {"{}", 0, ""},
      {"{}      ", 0, ""},
      {"  \n{" + kGood + "}", 4, ""},
      {R"({"__metadata__":{},)" + kGood + "}", 4, ""},
      {entry("[]", "[0,4]"), 4, ""},
      {entry("[0,9223372036854775807]", "[0,0]"), 0, ""},
      {R"({"":{"data_offsets":[0,1],"shape":[1],"dtype":"U8"}})", 1, ""},
      // An unaligned tensor, in another order than the data's, beside an empty one.
      {R"({"x":{"dtype":"F32","shape":[1],"data_offsets":[1,5]},"e":{"dtype":"F32","shape":[0],"data_offsets":[1,1]},)"
       R"("a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})",
       5, ""}};
  for (const Abuse& file : fine) {
    const auto result = parse_safetensors(file_of(file.header, file.data), "fine");
    EXPECT_TRUE(result.has_value()) << file.header << "\n" << failure_of(result).message;
  }
}

TEST(Safetensors, TruncationAtEveryByteAsksForMore) {
  const std::string bytes = encode_safetensors(small_file());
  for (std::size_t n = 0; n < bytes.size(); ++n) {
    ASSERT_EQ(failure_of(parse_safetensors(bytes.substr(0, n), "cut")).code, FailureCode::need_more)
        << n;
  }
  EXPECT_EQ(failure_of(parse_safetensors(bytes + '\0', "long")).code, FailureCode::corrupt);
}

// A flip in the data shows in the data; one in the header may give other names or metadata, or an
// error, but never other bytes: they are the file's own.
TEST(Safetensors, EveryBitFlipIsAnErrorOrAWellFormedFile) {
  const std::string bytes = encode_safetensors(small_file());
  for (std::size_t bit = 0; bit < 8 * bytes.size(); ++bit) {
    std::string flipped = bytes;
    flipped[bit / 8] ^= static_cast<char>(1 << bit % 8);
    const auto result = parse_safetensors(flipped, "flipped");
    if (!result) {
      ASSERT_THAT(result.error().message, HasSubstr("[net] flipped")) << bit;
      continue;
    }
    std::size_t held = 0;
    for (const auto& [name, tensor] : result->tensors) held += tensor.bytes.size();
    ASSERT_EQ(held, 18u) << bit;
    ASSERT_NE(*result, small_file()) << bit;
  }
}

rc::Gen<RawTensor> any_tensor() {
  return rc::gen::exec([] {
    RawTensor tensor;
    tensor.dtype = *rc::gen::element(DType::f32, DType::f16, DType::bf16, DType::f64, DType::i64,
                                     DType::i32, DType::u8);
    tensor.shape =
        *rc::gen::resize(4, rc::gen::container<std::vector<std::int64_t>>(rc::gen::inRange(0, 4)));
    std::size_t n = bytes_of(tensor.dtype);
    for (const std::int64_t d : tensor.shape) n *= static_cast<std::size_t>(d);
    tensor.bytes = *rc::gen::container<std::string>(n, rc::gen::arbitrary<char>());
    return tensor;
  });
}

std::string ascii(std::string text) {
  for (char& c : text) c &= 0x7f;
  return text;
}

RC_GTEST_PROP(Safetensors, DecodeAfterEncodeIsTheIdentity, ()) {
  TensorFile file;
  for (const std::string& name : *rc::gen::arbitrary<std::vector<std::string>>()) {
    file.tensors[ascii(name)] = *any_tensor();
    file.metadata[ascii(name)] = ascii(*rc::gen::arbitrary<std::string>());
  }
  const std::string bytes = encode_safetensors(file);
  RC_ASSERT(bytes[8] == '{');
  const auto back = parse_safetensors(bytes, "own");
  RC_ASSERT(back.has_value());
  RC_ASSERT(*back == file);
  RC_ASSERT(encode_safetensors(*back) == bytes);
}

TEST(Safetensors, FilesThatCouldNotBeReadAreNotWritten) {
  const RawTensor byte{DType::u8, {1}, "b"};
  const auto one = [&](const std::string& name, RawTensor tensor) {
    return TensorFile{.tensors = {{name, std::move(tensor)}}, .metadata = {}};
  };
  EXPECT_THROW(encode_safetensors(one("w", {DType::f32, {1}, "123"})), BugError);
  EXPECT_THROW(encode_safetensors(one("w", {DType::u8, {-1}, ""})), BugError);
  EXPECT_THROW(encode_safetensors(one("\xff", byte)), BugError);
  EXPECT_THROW(encode_safetensors(one(std::string(1025, 'n'), byte)), BugError);
  EXPECT_THROW(encode_safetensors(one("__metadata__", byte)), BugError);
  EXPECT_NO_THROW(encode_safetensors(one("w", byte)));
}

TEST(Safetensors, ReadingAFileGivesWhatParsingItsBytesGives) {
  const TempFolder folder;
  const std::string bytes = encode_safetensors(small_file());
  EXPECT_EQ(value_or_throw(read_safetensors(folder.write("a", bytes))), small_file());
  for (std::size_t n = 0; n < bytes.size(); n += 13) {
    const auto read = read_safetensors(folder.write("cut", bytes.substr(0, n)));
    EXPECT_EQ(failure_of(read).code, FailureCode::need_more) << n;
    EXPECT_THAT(failure_of(read).message, HasSubstr(folder.path().string())) << n;
  }
}

TEST(Safetensors, OnlyRegularFilesAreRead) {
  const TempFolder folder;
  const std::string pipe = folder.path() / "pipe";
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  std::filesystem::create_symlink(folder.path() / "loop", folder.path() / "loop");
  const std::pair<std::string, std::string> table[] = {{folder.path() / "missing", "No such file"},
                                                       {folder.path(), "got a folder"},
                                                       {pipe, "device or pipe"},
                                                       {"/dev/zero", "device or pipe"},
                                                       {folder.path() / "loop", "symbolic links"}};
  for (const auto& [path, message] : table) {
    const auto result = read_safetensors(path);
    EXPECT_EQ(failure_of(result).code, FailureCode::io) << path;
    EXPECT_THAT(failure_of(result).message, HasSubstr(message)) << path;
  }
}

}  // namespace
}  // namespace ddpm
