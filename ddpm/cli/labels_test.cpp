#include "ddpm/cli/labels.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ddpm/base/error.h"
#include "ddpm/data/class_names.h"

namespace ddpm::cli {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using Numbers = std::vector<int>;

TEST(Labels, AreNumbersNamesOrAll) {
  const auto names = fashion_mnist_classes();
  EXPECT_EQ(parse_labels("3", 10, names), Numbers{3});
  EXPECT_EQ(parse_labels("0,9,0", 10, {}), (Numbers{0, 9, 0}));
  EXPECT_EQ(parse_labels("Ankle boot,T-shirt/top,4", 10, names), (Numbers{9, 0, 4}));
  EXPECT_EQ(parse_labels("all", 3, {}), (Numbers{0, 1, 2}));
}

// A data set may call its classes by other numbers than theirs.
TEST(Labels, ThatAreNamesAreNotNumbers) { EXPECT_EQ(parse_labels("1", 2, {"1", "0"}), Numbers{0}); }

std::string refusal(const std::string& text) {
  try {
    parse_labels(text, 10, fashion_mnist_classes());
    return "taken";
  } catch (const Error& error) {
    return error.what();
  }
}

TEST(Labels, SayWhatThereIs) {
  EXPECT_THAT(refusal("Sneakers"),
              AllOf(HasSubstr("got 'Sneakers', expected all, 0..9, or a name: T-shirt/top, "),
                    HasSubstr("try --label 'Sneaker'")));
  for (const char* text : {"10", "-1", "", "1,", ",1", "1 ", "1.5", "ALL"}) {
    EXPECT_THAT(refusal(text), HasSubstr("expected all, 0..9")) << text;
  }
}

}  // namespace
}  // namespace ddpm::cli
