#include "ddpm/entropy/bits.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <utility>
#include <vector>

namespace ddpm {
namespace {

TEST(Bits, AreLaidOutFromTheLowestBitUp) {
  BitWriter writer;
  writer.put(0b101, 3);
  writer.put(0x1ff, 9);
  EXPECT_EQ(writer.bytes(), std::string("\xfd\x0f"));
  EXPECT_EQ(writer.bits(), 12U);
}

RC_GTEST_PROP(Bits, ReadBackAsTheyWereWritten, ()) {
  const auto numbers = *rc::gen::container<std::vector<std::pair<std::uint64_t, int>>>(
      rc::gen::pair(rc::gen::arbitrary<std::uint64_t>(), rc::gen::inRange(0, 65)));
  const auto low = [](std::uint64_t v, int bits) {
    return bits == 64 ? v : v & ((1ULL << bits) - 1);
  };
  BitWriter writer;
  std::size_t total = 0;
  for (const auto& [value, bits] : numbers) {
    writer.put(low(value, bits), bits);
    total += bits;
  }
  RC_ASSERT(writer.bits() == total && writer.bytes().size() == (total + 7) / 8);
  BitReader reader(writer.bytes());
  for (const auto& [value, bits] : numbers)
    RC_ASSERT(reader.take(bits).value() == low(value, bits));
  RC_ASSERT(reader.position() == total);
}

TEST(Bits, ATakeOfMoreThanThereIsReadsNothing) {
  BitReader reader("\x81");
  const auto taken = reader.take(9);
  ASSERT_FALSE(taken);
  EXPECT_EQ(taken.error().code, FailureCode::need_more);
  EXPECT_EQ(reader.take(8).value(), 0x81U);
  EXPECT_EQ(reader.left(), 0U);
}

TEST(Bits, AValueThatDoesNotFitIsABug) {
  EXPECT_THROW(BitWriter().put(4, 2), BugError);
  EXPECT_THROW(BitWriter().put(0, 65), BugError);
}

}  // namespace
}  // namespace ddpm
