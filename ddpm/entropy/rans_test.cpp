#include "ddpm/entropy/rans.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cmath>

#include "ddpm/base/philox.h"
#include "ddpm/entropy/symbol_table.h"

namespace ddpm {
namespace {

const NoiseKey kKey{.seed = 8};

SymbolTable table_of(const std::vector<std::uint64_t>& weights) {
  return SymbolTable(interval_sizes(weights));
}

// 256 symbols around 128: about 6.0 bits, none rarer than 2^-24.
std::vector<std::uint64_t> bell() {
  std::vector<std::uint64_t> weights;
  for (int i = 0; i < 256; ++i) {
    weights.push_back(static_cast<std::uint64_t>(1e9 * std::exp(-(i - 128.0) * (i - 128) / 512)));
  }
  return weights;
}

std::vector<int> draws(const SymbolTable& table, int count) {
  std::vector<int> symbols;
  for (int i = 0; i < count; ++i) {
    const auto slot = static_cast<std::uint32_t>(uniform_below(kKey, kWhole, i));
    int symbol = 0;
    while (table.interval(symbol).start + table.interval(symbol).size <= slot) ++symbol;
    symbols.push_back(symbol);
  }
  return symbols;
}

double ideal_bits(const SymbolTable& table, const std::vector<int>& symbols) {
  double bits = 0;
  for (const int symbol : symbols) bits += kPrecision - std::log2(table.interval(symbol).size);
  return bits;
}

double content(const Rans& rans) {
  return 32.0 * static_cast<double>(rans.words()) + std::log2(static_cast<double>(rans.state()));
}

TEST(IntervalSizes, AddUpAndLeaveNoSymbolOut) {
  for (const auto& weights :
       std::vector<std::vector<std::uint64_t>>{{1},
                                               {0, 0, 1},
                                               {5, 5},
                                               bell(),
                                               {1, (1ULL << 38), 0},
                                               std::vector<std::uint64_t>(65536, 7)}) {
    const auto sizes = interval_sizes(weights);
    std::uint64_t sum = 0;
    for (const std::uint32_t size : sizes) {
      EXPECT_GE(size, 1U);
      sum += size;
    }
    EXPECT_EQ(sum, kWhole);
  }
  EXPECT_THROW(interval_sizes(std::vector<std::uint64_t>{0, 0}), BugError);
  EXPECT_THROW(SymbolTable(std::vector<std::uint32_t>{1, 2}), BugError);
}

// The same bytes whether the division is done or replaced, for sizes that make reciprocals hard.
RC_GTEST_PROP(SymbolTable, PushesAsADivisionWould, ()) {
  const auto weights = *rc::gen::suchThat(
      rc::gen::container<std::vector<std::uint64_t>>(rc::gen::oneOf(
          rc::gen::inRange<std::uint64_t>(0, 4), rc::gen::inRange<std::uint64_t>(0, 1ULL << 24))),
      [](const auto& w) { return std::any_of(w.begin(), w.end(), [](auto x) { return x > 0; }); });
  const SymbolTable table = table_of(weights);
  Rans fast(7), slow(7);
  for (int i = 0; i < 2000; ++i) {
    const int symbol = static_cast<int>(uniform_below(kKey, weights.size(), i));
    table.push(fast, symbol);
    slow.push(table.interval(symbol));
    RC_ASSERT(fast.state() == slow.state());
  }
  RC_ASSERT(fast.bytes() == slow.bytes());
  for (int i = 2000; i-- > 0;) {
    RC_ASSERT(table.pop(fast) == static_cast<int>(uniform_below(kKey, weights.size(), i)));
  }
  RC_ASSERT(fast.bottom().value() == 7U);
}

// An ideal coder's state grows by log2(2^24 / size) a symbol. rANS rounds state / size down, which
// costs at most log2(1 + size / state) <= log2(1 + 2^24 / 2^31) = 0.011 bits when the state is at
// its lowest and the symbol is all but certain. States are spread evenly in log, so the mean is
// about E[size / state] / ln 2 = 2^24 p / (ln 2^32 * 2^31) / ln 2 = 5e-4 p / 22 / 0.69, here with
// p = E[size] / 2^24 = 0.02: below 1e-6 bits a symbol. 4e-6 leaves room for chance.
TEST(Rans, CostsTheIdealCodelengthAndMillionthsOfABitMore) {
  const SymbolTable table = table_of(bell());
  constexpr int kCount = 1000000;
  const auto symbols = draws(table, kCount);
  Rans rans;
  const double start = content(rans);
  for (const int symbol : symbols) table.push(rans, symbol);
  const double excess = content(rans) - start - ideal_bits(table, symbols);
  EXPECT_GT(excess, -1e-3);
  EXPECT_LT(excess / kCount, 4e-6);
  // Whole bytes: 33 bits at the bottom, and at most two spare bytes and two bits of the head.
  EXPECT_LT(8.0 * static_cast<double>(rans.bytes().size()), content(rans) + 18);
  for (int i = kCount; i-- > 0;) ASSERT_EQ(table.pop(rans), symbols[i]);
  EXPECT_EQ(rans.bottom().value(), 0U);
}

TEST(Rans, AQueueReadsFromTheFrontAndAPrefixIsAPrefix) {
  const SymbolTable table = table_of(bell());
  const auto symbols = draws(table, 300);
  RansQueue queue;
  for (const int symbol : symbols) queue.put(table.interval(symbol));
  const std::string bytes = queue.bytes(0xc0ffee);
  std::size_t right_before = 0;
  for (std::size_t size = 0; size <= bytes.size(); ++size) {
    auto rans = Rans::parse(std::string_view(bytes).substr(0, size));
    if (!rans) {
      EXPECT_EQ(rans.error().code, FailureCode::need_more);
      EXPECT_LT(size, 9U);
      continue;
    }
    std::size_t right = 0;
    while (right < symbols.size() && !rans->starved()) {
      ASSERT_EQ(table.pop(*rans), symbols[right]) << size;
      ++right;
    }
    EXPECT_GE(right, right_before);
    EXPECT_EQ(rans->bottom().has_value(), size == bytes.size());
    right_before = right;
  }
  EXPECT_EQ(Rans::parse(bytes)->state() >> 63, 0U);
  EXPECT_EQ(right_before, symbols.size());
}

TEST(Rans, TheBottomComesBackOnlyFromAWholeStream) {
  RansQueue queue;
  for (std::uint32_t i = 0; i < 40; ++i) queue.put({i * 1000, 77});
  const auto end = [](std::string_view bytes) {
    auto rans = Rans::parse(bytes).value();
    for (std::uint32_t i = 0; i < 40; ++i) {
      if (rans.peek() - i * 1000 >= 77)
        return Result<std::uint32_t>(fail(FailureCode::corrupt, "x"));
      rans.pop({i * 1000, 77});
    }
    return rans.bottom();
  };
  const std::string bytes = queue.bytes(0xdeadbeef);
  EXPECT_EQ(end(bytes).value(), 0xdeadbeefU);
  EXPECT_FALSE(end(bytes + '\0'));
  EXPECT_FALSE(end(bytes + std::string(4, '\0')));
  EXPECT_FALSE(end(bytes.substr(0, bytes.size() - 1)));
  EXPECT_EQ(Rans(5).bottom().value(), 5U);
}

// Byte for byte, on every machine: docs/format.md shows these.
TEST(Rans, HasTheBytesThatTheFormatShows) {
  RansQueue queue;
  queue.put({0, kWhole / 2});
  queue.put({kWhole / 2, kWhole / 4});
  queue.put({kWhole - 1, 1});
  const auto hex = [](std::string_view bytes) {
    std::string text;
    for (const char c : bytes) text += fmt::format("{:02x}", static_cast<unsigned char>(c));
    return text;
  };
  EXPECT_EQ(hex(Rans(0x01020304).bytes()), "100c080404");
  EXPECT_EQ(hex(queue.bytes(0x01020304)), "ffffff9c6040202000");
}

// Pops draw samples out of the seed; pushes put it back (bits-back).
RC_GTEST_PROP(Rans, BitsBackGivesTheSeedBack, ()) {
  const auto seed = *rc::gen::container<std::string>(rc::gen::arbitrary<char>());
  const auto count = *rc::gen::inRange(0, 200);
  const SymbolTable table = table_of({900, 5, 70, 0, 25});
  Rans rans = Rans::seeded(seed);
  std::vector<int> popped;
  std::vector<std::uint32_t> bits;
  for (int i = 0; i < count; ++i) {
    popped.push_back(table.pop(rans));
    bits.push_back(rans.pop_bits(i % 32));
  }
  if (!rans.starved()) RC_ASSERT(Rans::seeded(seed).seed_bytes().value() == seed);
  // What a starved stack was fed comes back below the seed's own words.
  std::string stream = rans.bytes();
  Rans again = Rans::parse(stream).value();
  for (int i = count; i-- > 0;) {
    again.push_bits(bits[i], i % 32);
    table.push(again, popped[i]);
  }
  RC_ASSERT(again.seed_bytes().value() == seed);
}

// The first symbol has a share of 1 / 1000: 5 of 1000 samples are four standard deviations.
TEST(Rans, AStarvedSeedStillDrawsSamples) {
  const SymbolTable table = table_of({1, 998, 1});
  Rans rans = Rans::seeded("");
  int first = 0;
  for (int i = 0; i < 1000; ++i) first += table.pop(rans) == 0;
  EXPECT_LE(first, 5);
}

TEST(Rans, ASeedWithoutItsWordsIsCorrupt) {
  EXPECT_EQ(Rans::seeded("abcde").seed_bytes().value(), "abcde");
  EXPECT_EQ(Rans::seeded("").seed_bytes().value(), "");
  Rans changed = Rans::seeded("abcde");
  changed.pop_bits(31);
  changed.pop_bits(31);
  EXPECT_EQ(changed.seed_bytes().error().code, FailureCode::corrupt);
}

TEST(Rans, HeadsThatNoStackHasAreCorrupt) {
  EXPECT_EQ(Rans::parse("").error().code, FailureCode::need_more);
  EXPECT_EQ(Rans::parse(std::string(5, '\0')).error().code, FailureCode::corrupt);  // state 0
  EXPECT_EQ(Rans::parse(std::string(9, '\xff')).error().code, FailureCode::corrupt);
  // 2^31 in 6 bytes where 5 would do.
  EXPECT_EQ(Rans::parse(std::string("\x01\x00\x00\x00\x02\x00", 6)).error().code,
            FailureCode::corrupt);
  EXPECT_TRUE(Rans::parse(std::string("\x00\x00\x00\x00\x02", 5)));
}

// Every head length: the state after some pushes, at its least and greatest.
TEST(Rans, EveryStateComesBackFromItsBytes) {
  for (int bits = 0; bits <= 30; ++bits) {
    for (const std::uint32_t value : {0U, (1U << bits) - 1}) {
      Rans rans(UINT32_MAX);
      rans.push_bits(value, bits);
      EXPECT_EQ(Rans::parse(rans.bytes())->state(), rans.state());
      EXPECT_EQ(Rans::parse(rans.bytes())->bytes(), rans.bytes());
    }
  }
}

}  // namespace
}  // namespace ddpm
