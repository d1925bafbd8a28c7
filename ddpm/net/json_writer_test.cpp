#include "ddpm/net/json_writer.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <bit>
#include <cmath>

#include "ddpm/net/json_for_test.h"

namespace ddpm {
namespace {

// The text is json.dumps({...}, indent=2, sort_keys=True) of Python 3.11.
TEST(JsonWriter, WritesAsPythonDoes) {
  const Json json = json_object(
      {{"z", json_list({json_integer(1), json_list({}), json_object({})})},
       {"a", json_bool(true)},
       {"d", json_list({json_real(1), json_real(1e-6), json_real(0.02), json_real(1e22)})},
       {"n", {}},
       {"s", json_string("a\"\\\n\x01")}});
  EXPECT_EQ(write_json(json),
            "{\n  \"a\": true,\n  \"d\": [\n    1.0,\n    1e-06,\n    0.02,\n    1e+22\n  ],\n  "
            "\"n\": null,\n"
            "  \"s\": \"a\\\"\\\\\\n\\u0001\",\n  \"z\": [\n    1,\n    [],\n    {}\n  ]\n}\n");
}

TEST(JsonWriter, SortsKeysOfParsedObjects) {
  EXPECT_EQ(write_json(parsed(R"({"b": 1, "a": 2})")), "{\n  \"a\": 2,\n  \"b\": 1\n}\n");
}

TEST(JsonWriter, RefusesNumbersThatJsonLacks) {
  EXPECT_THROW(json_real(std::nan("")), BugError);
  EXPECT_THROW(json_real(INFINITY), BugError);
}

RC_GTEST_PROP(JsonWriter, ReadsBackEveryDouble, (std::uint64_t bits)) {
  const auto value = std::bit_cast<double>(bits);
  RC_PRE(std::isfinite(value));
  const auto back = parsed(write_json(json_real(value))).real();
  RC_ASSERT(back.has_value());
  RC_ASSERT(std::bit_cast<std::uint64_t>(*back) == bits);
}

RC_GTEST_PROP(JsonWriter, ReadsBackEveryAsciiString, (std::string text)) {
  for (char& c : text) c &= 0x7f;
  RC_ASSERT(parsed(write_json(json_string(text))).text == text);
}

RC_GTEST_PROP(JsonWriter, ReadsBackNestedObjects,
              (const std::map<std::string, std::vector<std::int64_t>>& lists)) {
  std::map<std::string, Json> members;
  for (const auto& [key, numbers] : lists) {
    std::string name = key;
    for (char& c : name) c &= 0x7f;
    std::vector<Json> items;
    for (const std::int64_t n : numbers) items.push_back(json_integer(n));
    members[name] = json_list(items);
  }
  const Json json = json_object(members);
  RC_ASSERT(parsed(write_json(json)) == json);
}

}  // namespace
}  // namespace ddpm
