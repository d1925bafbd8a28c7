#include "ddpm/diffusion/names.h"

#include <gtest/gtest.h>

#include "ddpm/base/error.h"

namespace ddpm {
namespace {

constexpr std::string_view kFruit[] = {"apple", "pear", "plum"};

std::string message(std::string_view got, std::span<const std::string_view> known) {
  try {
    choose_name("[shop] fruit", got, known);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(Names, ChosenByIndex) {
  for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(choose_name("", kFruit[i], kFruit), i);
}

TEST(Names, UnknownOnesAreRefusedWithAllAndTheNearest) {
  EXPECT_EQ(message("aple", kFruit),
            "[shop] fruit: got 'aple', expected apple, pear or plum; try 'apple'");
  EXPECT_EQ(message("banana", kFruit), "[shop] fruit: got 'banana', expected apple, pear or plum");
  EXPECT_EQ(message("", kFruit), "[shop] fruit: got '', expected apple, pear or plum");
  EXPECT_EQ(message("Apple", std::span(kFruit).first(1)),
            "[shop] fruit: got 'Apple', expected apple; try 'apple'");
}

}  // namespace
}  // namespace ddpm
