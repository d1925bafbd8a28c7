#include "ddpm/data/npy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>
#include <zlib.h>

#include "ddpm/base/zip.h"
#include "ddpm/data/test_files.h"

namespace ddpm {
namespace {

using testing::HasSubstr;

std::string npy(const std::string& dictionary, const std::string& values) {
  std::string header = dictionary + "\n", out("\x93NUMPY\x01\x00", 8);
  out += static_cast<char>(header.size() & 255);
  out += static_cast<char>(header.size() >> 8);
  return out + header + values;
}

std::string doubles(const std::vector<double>& values) {
  return {reinterpret_cast<const char*>(values.data()), 8 * values.size()};
}

std::vector<double> values_of(const NpyArray& array) {
  std::vector<double> out;
  for (std::size_t i = 0; i < array.size(); ++i) out.push_back(array.at(i));
  return out;
}

Failure failure(const std::string& bytes) {
  const auto result = parse_npy(bytes, "x.npy");
  return result ? Failure{FailureCode::io, "no failure"} : result.error();
}

// numpy.save of zeros((2, 1, 3, 4), '<f4') with NumPy 1.24 begins with these bytes, spaces up to
// 127 and a newline.
TEST(NpyHeader, IsNumpysOwn) {
  const std::string header = npy_header(NpyType::f32, {2, 1, 3, 4});
  const std::string start(
      "\x93NUMPY\x01\x00v\x00{'descr': '<f4', 'fortran_order': False, 'shape': (2, 1, 3, 4), }",
      75);
  EXPECT_EQ(header.substr(0, start.size()), start);
  EXPECT_EQ(header.size(), 128U);
  EXPECT_EQ(header.find_first_not_of(' ', start.size()), 127U);
  EXPECT_EQ(header.back(), '\n');
}

TEST(NpyHeader, IsAMultipleOf64AndWritesTuplesAsPythonDoes) {
  EXPECT_NE(npy_header(NpyType::f32, {7}).find("'shape': (7,), }"), std::string::npos);
  for (std::int64_t n = 1; n < 1'000'000'000'000; n *= 10) {
    EXPECT_EQ(npy_header(NpyType::u8, {n, n}).size() % 64, 0U);
  }
}

RC_GTEST_PROP(Npy, ComesBackAsWritten, (const std::vector<float>& values)) {
  const auto n = static_cast<std::int64_t>(values.size());
  for (const auto& shape : {std::vector<std::int64_t>{n}, {n, 1}, {1, 1, n}}) {
    const NpyArray array = npy_f32(shape, values);
    const NpyArray back = parse_npy(write_npy(array), "x.npy").value();
    RC_ASSERT(back.shape == shape);
    RC_ASSERT(back.bytes == array.bytes);
  }
}

// numpy.asfortranarray([[1, 2, 3], [4, 5, 6]], '<f8') stores columns.
TEST(Npy, OfFortranOrderIsTransposed) {
  const std::string bytes = npy("{'descr': '<f8', 'fortran_order': True, 'shape': (2, 3), }",
                                doubles({1, 4, 2, 5, 3, 6}));
  EXPECT_EQ(values_of(parse_npy(bytes, "x").value()), (std::vector<double>{1, 2, 3, 4, 5, 6}));
}

TEST(Npy, ReadsHalves) {
  // 1, -2, 65504, 2^-24, infinity
  const std::string bytes = npy("{'descr': '<f2', 'fortran_order': False, 'shape': (5,), }",
                                std::string("\x00\x3c\x00\xc0\xff\x7b\x01\x00\x00\x7c", 10));
  EXPECT_EQ(values_of(parse_npy(bytes, "x").value()),
            (std::vector<double>{1, -2, 65504, 0x1p-24, HUGE_VAL}));
}

TEST(Npy, OfNoAxesIsOneValue) {
  const std::string bytes =
      npy("{'descr': '<f8', 'fortran_order': False, 'shape': (), }", doubles({7}));
  EXPECT_EQ(values_of(parse_npy(bytes, "x").value()), std::vector<double>{7});
}

TEST(Npy, RefusesWhatItIsNot) {
  const std::string good = write_npy(npy_f64({2, 2}, {1, 2, 3, 4}));
  for (std::size_t size = 0; size < good.size(); ++size) {
    EXPECT_FALSE(parse_npy(good.substr(0, size), "x").has_value()) << size;
  }
  EXPECT_EQ(failure(good.substr(0, good.size() - 1)).code, FailureCode::need_more);
  EXPECT_THAT(failure(good + "x").message, HasSubstr("something follows it"));
  EXPECT_THAT(failure("PK\x03\x04").message, HasSubstr("x.npy: no .npy file"));
  const auto typed = [](const std::string& descr) {
    return npy("{'descr': " + descr + ", 'fortran_order': False, 'shape': (1,), }", "12345678");
  };
  EXPECT_EQ(failure(typed("'>f8'")).code, FailureCode::unsupported);
  EXPECT_EQ(failure(typed("'|O'")).code, FailureCode::unsupported);
  EXPECT_EQ(failure(typed("[('a', '<f8')]")).code, FailureCode::unsupported);
}

// Sizes that no file can have: refused by arithmetic, before anything is allocated.
TEST(Npy, RefusesImpossibleShapes) {
  for (const char* shape :
       {"(4611686018427387904, 4)", "(9223372036854775807, 9223372036854775807)", "(-1,)",
        "(99999999999999999999,)", "(1, 1, 1, 1, 1, 1, 1, 1, 1)", "(1 1)", "3",
        "(1000000000000,)"}) {
    const auto bytes =
        npy(fmt::format("{{'descr': '<f8', 'fortran_order': False, 'shape': {}, }}", shape),
            "12345678");
    EXPECT_FALSE(parse_npy(bytes, "x").has_value()) << shape;
  }
  const auto empty =
      npy("{'descr': '<f8', 'fortran_order': True, 'shape': (288230376151711744, 0), }", "");
  EXPECT_EQ(parse_npy(empty, "x").value().size(), 0u);
}

RC_GTEST_PROP(Npy, SurvivesAnyChangedByte, ()) {
  std::string bytes = write_npy(npy_f64({2, 2}, {1, 2, 3, 4}));
  const auto at = *rc::gen::inRange<std::size_t>(0, 128);
  bytes[at] = *rc::gen::arbitrary<char>();
  const auto result = parse_npy(bytes, "x");
  if (result) RC_ASSERT(result->bytes.size() <= bytes.size());
}

TEST(Npz, ComesBackAsWrittenAndOnlyWhatIsWanted) {
  const std::string bytes =
      write_npz({{"mu", npy_f64({2}, {1, 2})}, {"sigma", npy_f64({2, 2}, {1, 0, 0, 1})}});
  EXPECT_EQ(values_of(parse_npz(bytes, "x.npz").value().at("mu")), (std::vector<double>{1, 2}));
  EXPECT_EQ(parse_npz(bytes, "x.npz", {"sigma"}).value().size(), 1u);
  EXPECT_TRUE(parse_npz(bytes, "x.npz", {"tau"}).value().empty());
}

// The raw deflate stream inside gzip's 10 bytes of header and 8 of trailer.
std::string deflated(const std::string& bytes) {
  const std::string packed = gzip(bytes);
  return packed.substr(10, packed.size() - 18);
}

void set(std::string& bytes, std::size_t at, std::uint64_t value, int size) {
  for (int i = 0; i < size; ++i) bytes[at + i] = static_cast<char>(value >> 8 * i & 255);
}

// An archive with one deflated entry, as numpy.savez_compressed makes it.
std::string deflated_zip(const std::string& name, const std::string& content) {
  const std::string packed = deflated(content);
  std::string bytes = write_zip({{name, packed}});
  const std::size_t central = 30 + name.size() + packed.size();
  const std::uint32_t crc =
      crc32(0, reinterpret_cast<const Bytef*>(content.data()), content.size());
  set(bytes, 8, 8, 2);
  set(bytes, central + 10, 8, 2);
  set(bytes, central + 16, crc, 4);
  set(bytes, central + 24, content.size(), 4);
  return bytes;
}

TEST(Npz, ReadsDeflatedEntries) {
  const NpyArray array = npy_f64({1000}, std::vector<double>(1000, 3));
  const std::string bytes = deflated_zip("mu.npy", write_npy(array));
  EXPECT_EQ(parse_npz(bytes, "x.npz").value().at("mu").bytes, array.bytes);
}

TEST(Zip, RefusesEveryShortenedArchiveAndEveryChangedContent) {
  const std::string good = write_zip({{"a", "content"}, {"b", ramp(100)}});
  ASSERT_EQ(list_zip(good, "x").value().size(), 2u);
  for (std::size_t size = 0; size < good.size(); ++size) {
    EXPECT_FALSE(list_zip(good.substr(0, size), "x").has_value()) << size;
  }
  std::string bad = good;
  bad[33] ^= 1;  // in "content"
  const auto entries = list_zip(bad, "x").value();
  EXPECT_THAT(read_zip_entry(bad, entries[0], "x").error().message,
              HasSubstr("x: a in the archive has a wrong checksum"));
  EXPECT_TRUE(read_zip_entry(bad, entries[1], "x").has_value());
}

TEST(Zip, RefusesSizesThatDeflateCannotReach) {
  std::string bytes = deflated_zip("a", ramp(100));
  const std::size_t central = bytes.rfind("PK\x01\x02");
  set(bytes, central + 24, 0xFFFFFFF0, 4);  // 4 GiB from a hundred bytes
  EXPECT_THAT(list_zip(bytes, "x").error().message, HasSubstr("sizes that can't be"));
  std::string longer = deflated_zip("a", ramp(100));
  set(longer, central + 24, 101, 4);
  const auto entry = list_zip(longer, "x").value()[0];
  EXPECT_THAT(read_zip_entry(longer, entry, "x").error().message, HasSubstr("broken deflate data"));
}

TEST(Zip, RefusesEncryptedAndOtherwisePackedEntries) {
  std::string bytes = write_zip({{"a", "content"}});
  const std::size_t central = bytes.rfind("PK\x01\x02");
  std::string encrypted = bytes, packed = bytes;
  set(encrypted, central + 8, 1, 2);
  set(packed, central + 10, 12, 2);
  for (const std::string& bad : {encrypted, packed}) {
    const auto entry = list_zip(bad, "x").value()[0];
    EXPECT_EQ(read_zip_entry(bad, entry, "x").error().code, FailureCode::unsupported);
  }
}

// Entries that share their bytes would unpack to many times the file.
TEST(Zip, RefusesOverlappingEntries) {
  std::string bytes = write_zip({{"a", ramp(100)}, {"b", ramp(100)}, {"c", ramp(400)}});
  std::size_t central = bytes.find("PK\x01\x02");
  for (int i = 0; i < 3; ++i) {
    set(bytes, central + 20, 400, 4);
    set(bytes, central + 24, 400, 4);
    set(bytes, central + 42, 0, 4);
    central += 47;
  }
  EXPECT_FALSE(list_zip(bytes, "x").has_value());
}

RC_GTEST_PROP(Zip, SurvivesAnyChangedByte, ()) {
  std::string bytes = deflated_zip("a", ramp(100));
  const auto at = *rc::gen::inRange<std::size_t>(0, bytes.size());
  bytes[at] = *rc::gen::arbitrary<char>();
  const auto entries = list_zip(bytes, "x");
  for (std::size_t i = 0; entries && i < entries->size(); ++i) {
    const auto content = read_zip_entry(bytes, (*entries)[i], "x");
    if (content) RC_ASSERT(content->size() <= 1032 * bytes.size());
  }
}

}  // namespace
}  // namespace ddpm
