#include "ddpm/net/strict_json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "ddpm/net/json_for_test.h"

namespace ddpm {
namespace {

using testing::HasSubstr;

std::string refused(std::string_view text, int max_depth = 32) {
  const auto json = parse_json(text, "a.json", max_depth);
  if (json) return "accepted";
  EXPECT_EQ(json.error().code, FailureCode::corrupt);
  return json.error().message;
}

TEST(StrictJson, ReadsEveryKindOfValue) {
  const Json json = parsed(
      R"( {"n": null, "t": true, "i": -12, "d": 1.5e-3, "s": "a\u00e9\n", "l": [1, []], "o": {}} )");
  EXPECT_TRUE(json.find("n")->is(Json::Kind::null));
  EXPECT_TRUE(json.find("t")->truth);
  EXPECT_EQ(json.find("i")->integer(), -12);
  EXPECT_EQ(json.find("d")->real(), 1.5e-3);
  EXPECT_EQ(json.find("s")->text, "a\xc3\xa9\n");
  EXPECT_EQ(json.find("l")->items.size(), 2u);
  EXPECT_TRUE(json.find("o")->is(Json::Kind::object));
  EXPECT_EQ(json.find("x"), nullptr);
  EXPECT_EQ(json.find("l")->find("x"), nullptr);
}

TEST(StrictJson, IntegersAreExactAndOnlyIntegers) {
  EXPECT_EQ(parsed("9223372036854775807").integer(), std::numeric_limits<std::int64_t>::max());
  EXPECT_EQ(parsed("-9223372036854775808").integer(), std::numeric_limits<std::int64_t>::min());
  for (const char* text :
       {"9223372036854775808", "1.0", "1e3", "18446744073709551616", "\"1\"", "true"}) {
    EXPECT_EQ(parsed(text).integer(), std::nullopt) << text;
  }
}

// The two hardest cases of decimal conversion that are commonly got wrong, and the ends of the
// range.
TEST(StrictJson, DoublesAreCorrectlyRounded) {
  EXPECT_EQ(parsed("2.2250738585072011e-308").real(), 0x0.fffffffffffffp-1022);
  EXPECT_EQ(parsed("9007199254740993").real(), 9007199254740992.0);
  EXPECT_EQ(parsed("0.1").real(), 0.1);
  EXPECT_EQ(parsed("-0.0").real(), 0.0);
  EXPECT_EQ(parsed("1e400").real(), std::nullopt);
  EXPECT_EQ(parsed("\"1\"").real(), std::nullopt);
}

TEST(StrictJson, RefusesWhatTheStandardRefuses) {
  const char* broken[] = {"",
                          " ",
                          "{",
                          "[1,]",
                          "{\"a\":1,}",
                          "{\"a\"}",
                          "{a:1}",
                          "'a'",
                          "// c\n1",
                          "/* */ 1",
                          "01",
                          "+1",
                          ".5",
                          "1.",
                          "1e",
                          "NaN",
                          "Infinity",
                          "-",
                          "tru",
                          "\"\\x\"",
                          "\"\\ud800\"",
                          "\"a",
                          "[1 2]",
                          "1 2",
                          "{} x",
                          "\xef\xbb\xbf{}",
                          "\"\xff\"",
                          "\"\xc0\xaf\"",
                          "\"\xed\xa0\x80\"",
                          "\"\t\"",
                          "{\"a\":1 \"b\":2}",
                          "]"};
  for (const char* text : broken) EXPECT_THAT(refused(text), HasSubstr("a.json: byte ")) << text;
  EXPECT_THAT(refused(std::string_view("{}\0", 3)), HasSubstr("byte 2"));
  EXPECT_THAT(refused(std::string_view("\"\0\"", 3)), HasSubstr("byte "));
}

TEST(StrictJson, RefusesAKeyThatComesTwice) {
  EXPECT_THAT(refused(R"({"a": 1, "b": 2, "a": 1})"), HasSubstr(R"(key "a" twice)"));
  EXPECT_THAT(refused(R"([{"x": {"a": 1, "\u0061": 1}}])"), HasSubstr(R"(key "a" twice)"));
  EXPECT_EQ(refused(R"({"a": {"a": 1}, "b": {"a": 1}})"), "accepted");
}

TEST(StrictJson, BoundsDepthAndNumberOfValues) {
  EXPECT_EQ(refused("[[[1]]]", 3), "accepted");
  EXPECT_THAT(refused("[[[[1]]]]", 3), HasSubstr("byte 3"));
  EXPECT_THAT(refused(std::string(1'000'000, '[')), HasSubstr("byte 32"));
  std::string many = "[0";
  for (int i = 0; i < 65536; ++i) many += ",0";
  EXPECT_THAT(refused(many + "]"), HasSubstr("more than 65536 values"));
  EXPECT_EQ(refused(many.substr(0, 2 * 65534) + "]"), "accepted");
}

TEST(StrictJson, TruncationAnywhereIsRefused) {
  const std::string text = R"({"a": [1.5, true, null, "x\u00e9"], "b": {"c": -1e-3}})";
  ASSERT_EQ(refused(text), "accepted");
  for (std::size_t n = 0; n < text.size(); ++n)
    EXPECT_NE(refused(text.substr(0, n)), "accepted") << n;
}

TEST(StrictJson, DescribesValuesForMessages) {
  EXPECT_EQ(describe(parsed("-1.50")), "-1.50");
  EXPECT_EQ(describe(parsed("\"a\\n\"")), R"("a\n")");
  EXPECT_EQ(describe(parsed("[1, 2]")), "a list of 2");
  EXPECT_EQ(describe(parsed("{}")), "an object");
  EXPECT_LT(describe(parsed('"' + std::string(5000, 'x') + '"')).size(), 80u);
}

}  // namespace
}  // namespace ddpm
