#include "ddpm/entropy/bin_model.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cmath>
#include <vector>

#include "ddpm/base/error.h"
#include "ddpm/base/file.h"
#include "ddpm/base/philox.h"

namespace ddpm {
namespace {

double phi(double z) { return 0.5 * std::erfc(-z / std::sqrt(2.0)); }
double sigmoid(double z) { return 1 / (1 + std::exp(-z)); }

std::int64_t q16(double x) { return std::llround(x * 65536); }

std::uint64_t at(const CdfTable& cdf, double z) { return cdf.at(std::llround(z * 0x1p24)); }

// A chord errs by at most h^2 / 8 max |F''|, h = 2^-8, with max |phi'| = 0.242 and for the logistic
// 0.0962: 4.7e-7. Rounding adds 2^-32.
TEST(CdfTable, IsTheDistributionWithinAChordsError) {
  for (double z = -30; z <= 30; z += 0.00317) {
    EXPECT_NEAR(at(CdfTable::normal(), z) * 0x1p-32, phi(z), 4.7e-7) << z;
    EXPECT_NEAR(at(CdfTable::logistic(), z) * 0x1p-32, sigmoid(z), 4.7e-7) << z;
  }
}

// At the cells' ends there is no chord: half a unit of rounding, and the tail cut at the reach.
TEST(CdfTable, IsRoundedToTheNearestAtTheEndsOfCells) {
  for (double z = -30; z <= 30; z += 1.0 / 256) {
    EXPECT_NEAR(at(CdfTable::normal(), z) * 1.0, 0x1p32 * phi(z), 0.52) << z;
    EXPECT_NEAR(at(CdfTable::logistic(), z) * 1.0, 0x1p32 * sigmoid(z), 0.52) << z;
  }
}

TEST(CdfTable, NeverDecreasesAndIsSymmetric) {
  for (const CdfTable* cdf : {&CdfTable::normal(), &CdfTable::logistic()}) {
    std::uint64_t last = 0;
    const std::int64_t end = std::int64_t{cdf->reach()} << 24;
    for (std::int64_t z = -end - 9999; z <= end + 9999; z += 101) {
      const std::uint64_t value = cdf->at(z);
      ASSERT_GE(value, last) << z;
      ASSERT_EQ(value + cdf->at(-z), std::uint64_t{1} << 32) << z;
      last = value;
    }
    EXPECT_EQ(last, std::uint64_t{1} << 32);
    EXPECT_EQ(cdf->at(-end), 0U);
  }
}

// Every entry of both tables: whoever changes a bit makes old files unreadable.
TEST(CdfTable, HasTheseBitsOnEveryMachine) {
  std::string bytes;
  for (const CdfTable* cdf : {&CdfTable::normal(), &CdfTable::logistic()}) {
    for (std::int64_t z = 0; z <= std::int64_t{cdf->reach()} << 24; z += 1 << 16) {
      for (int i = 0; i < 5; ++i) bytes.push_back(static_cast<char>(cdf->at(z) >> 8 * i & 255));
    }
  }
  EXPECT_EQ(sha256_hex(bytes), "ebf42b7680a9b6943c57cc058feb244d63c1abc5273770383958646a31be5e3e");
}

RC_GTEST_PROP(BinModel, IntervalsAreDisjointCoverAllAndAreFound, ()) {
  const auto& cdf = *rc::gen::arbitrary<bool>() ? CdfTable::normal() : CdfTable::logistic();
  const auto mean = *rc::gen::inRange<std::int64_t>(-(1LL << 26), 1LL << 26);
  const auto scale = 1U << *rc::gen::inRange(0, 31);
  const auto first = *rc::gen::inRange<std::int64_t>(-1000, 1000);
  const auto count = *rc::gen::inRange<std::int64_t>(1, 700);
  const BinModel model(cdf, mean, scale, first, first + count - 1);
  std::uint32_t start = 0;
  for (std::int64_t k = first; k < first + count; ++k) {
    const Interval interval = model.interval(k);
    RC_ASSERT(interval.start == start && interval.size >= 1);
    RC_ASSERT(model.find(start) == k && model.find(start + interval.size - 1) == k);
    start += interval.size;
  }
  RC_ASSERT(start == kWhole);
}

// Relative to the integral over the bin: the chord's error is (h^2 / 12) F''' in a bin of many
// cells, and one cell's slope, h / 2 |F''|, in a narrow one: |z| / 512 of the density. A unit of
// rounding and the bin's floor add 2 of 2^24, and the mass that goes to the floors is n of 2^24.
TEST(BinModel, IntervalsAreTheBinsShares) {
  for (const double scale : {0.3, 1.0, 1.3333, 7.7, 60.0}) {
    for (const double mean : {-0.5, 31.24, 127.5, 254.9}) {
      const BinModel normal(CdfTable::normal(), q16(mean), q16(scale), 0, 255);
      const BinModel logistic(CdfTable::logistic(), q16(mean), q16(scale), 0, 255);
      const double s = q16(scale) / 65536.0, m = q16(mean) / 65536.0;
      for (int k = 0; k <= 255; ++k) {
        const auto share = [&](auto f) {
          const double low = k == 0 ? 0 : f((k - 0.5 - m) / s);
          return (k == 255 ? 1 : f((k + 0.5 - m) / s)) - low;
        };
        const double z = std::min(7.0, (std::abs(k - m) + 0.5) / s);
        const double n = share(phi), l = share(sigmoid);
        const double floor = 3.0 / kWhole, mass = 256.0 / kWhole;
        EXPECT_NEAR(normal.interval(k).size * 1.0 / kWhole, n, floor + n * (mass + z / 256));
        EXPECT_NEAR(logistic.interval(k).size * 1.0 / kWhole, l, floor + l * (mass + 1.0 / 256));
      }
    }
  }
}

// The codelength against the distribution's own: the floors take n / 2^24 (2.2e-5 bits for 256
// symbols), narrow bins' slopes E[(z / 512)^2] / 2 / ln 2 = 3e-6. 1e-4 relative with room.
TEST(BinModel, CostsTheDistributionsEntropy) {
  for (const double scale : {0.4, 1.3333, 9.0, 40.0}) {
    const double mean = 120.3;
    const BinModel model(CdfTable::normal(), q16(mean), q16(scale), 0, 255);
    double entropy = 0, cost = 0;
    for (int k = 0; k <= 255; ++k) {
      const double low = k == 0 ? 0 : phi((k - 0.5 - mean) / scale);
      const double share = (k == 255 ? 1 : phi((k + 0.5 - mean) / scale)) - low;
      if (share <= 0) continue;
      entropy -= share * std::log2(share);
      cost += share * (kPrecision - std::log2(model.interval(k).size));
    }
    EXPECT_GT(cost, entropy - 1e-9);
    EXPECT_LT(cost, entropy * (1 + 1e-4)) << scale;
  }
}

TEST(BinModel, ArgumentsOutOfRangeAreBugs) {
  const auto& cdf = CdfTable::normal();
  EXPECT_THROW(BinModel(cdf, 0, 0, 0, 1), BugError);
  EXPECT_THROW(BinModel(cdf, 0, 1, 1, 0), BugError);
  EXPECT_THROW(BinModel(cdf, 0, 1, 0, 65536), BugError);
  EXPECT_THROW(BinModel(cdf, INT64_MAX, 1, 0, 1), BugError);
  EXPECT_THROW(WindowModel(cdf, 0, 1U << 30), BugError);
}

RC_GTEST_PROP(MixtureModel, IntervalsAreDisjointCoverAllAndAreFound, ()) {
  const auto mean = *rc::gen::inRange<std::int64_t>(-(1LL << 26), 1LL << 26);
  const std::array<std::uint32_t, 3> scales = {1, 1U << *rc::gen::inRange(0, 31),
                                               1U << *rc::gen::inRange(0, 31)};
  const auto weight = static_cast<std::uint16_t>(*rc::gen::inRange(0, (1 << 15) + 1));
  const std::array<std::uint16_t, 3> weights = {0, weight,
                                                static_cast<std::uint16_t>((1 << 15) - weight)};
  const auto count = *rc::gen::inRange<std::int64_t>(1, 257);
  const MixtureModel model({scales, weights}, mean, -7, count - 8);
  std::uint32_t start = 0;
  for (std::int64_t k = -7; k < count - 7; ++k) {
    const Interval interval = model.interval(k);
    RC_ASSERT(interval.start == start && interval.size >= 1);
    RC_ASSERT(model.find(start) == k && model.find(start + interval.size - 1) == k);
    start += interval.size;
  }
  RC_ASSERT(start == kWhole);
}

// Each side rounds down at both ends of an interval: 2 units.
TEST(MixtureModel, IntervalsAreTheWeighedSumOfItsParts) {
  const std::array<std::uint32_t, 2> scales = {45'875, 1'245'184};  // 0.7 and 19
  const std::array<std::uint16_t, 2> weights = {8192, 24576};
  const std::int64_t mean = 123 * 65536 + 4567;
  const MixtureModel model({scales, weights}, mean, 0, 255);
  const BinModel narrow(CdfTable::normal(), mean, scales[0], 0, 255);
  const BinModel wide(CdfTable::normal(), mean, scales[1], 0, 255);
  for (int k = 0; k <= 255; ++k) {
    const double sum = 0.25 * narrow.interval(k).size + 0.75 * wide.interval(k).size;
    EXPECT_NEAR(model.interval(k).size, sum, 2) << k;
  }
}

TEST(MixtureModel, ArgumentsOutOfRangeAreBugs) {
  const std::array<std::uint32_t, 2> scales = {65536, 0};
  const std::array<std::uint16_t, 2> all = {1 << 14, 1 << 14}, one = {1 << 15, 0};
  const auto make = [](std::span<const std::uint32_t> s, std::span<const std::uint16_t> w,
                       std::int64_t last) { return MixtureModel({s, w}, 0, 0, last); };
  const auto scale = std::span(scales).first(1);
  EXPECT_THROW(make(scales, all, 255), BugError);  // a scale of 0
  EXPECT_THROW(make(scale, std::span(all).first(1), 255), BugError);
  EXPECT_THROW(make(scale, one, 255), BugError);
  EXPECT_THROW(make(scale, std::span(one).first(1), 256), BugError);
  EXPECT_NO_THROW(make(scale, std::span(one).first(1), 255));
}

RC_GTEST_PROP(WindowModel, AnyNumberComesBack, ()) {
  const auto& cdf = *rc::gen::arbitrary<bool>() ? CdfTable::normal() : CdfTable::logistic();
  const auto mean = *rc::gen::inRange<std::int64_t>(-(1LL << 40), 1LL << 40);
  const auto scale = *rc::gen::inRange<std::uint32_t>(1, 1U << 27);
  const auto spread = *rc::gen::element<std::int64_t>(3, 100, 100000, 1LL << 30);
  const auto values = *rc::gen::container<std::vector<std::int64_t>>(
      rc::gen::inRange<std::int64_t>(-spread, spread));
  const WindowModel model(cdf, mean, scale);
  Rans rans(3);
  for (const std::int64_t value : values) model.push(rans, (mean >> 16) + value);
  for (std::size_t i = values.size(); i-- > 0;) {
    RC_ASSERT(model.pop(rans) == (mean >> 16) + values[i]);
  }
  RC_ASSERT(rans.bottom().value() == 3U);
}

// The farthest that a hostile stream can say: an escape, 31 bits, all of them ones.
TEST(WindowModel, WhateverIsPoppedCanBePushedBack) {
  const WindowModel model(CdfTable::normal(), 0, 65536);
  Rans rans(1);
  rans.push_bits(0x7fffffff, 31);
  rans.push_bits(31, 5);
  rans.push_bits(0, kPrecision);  // the lowest slot: the lower escape
  const Rans before = rans;
  const std::int64_t value = model.pop(rans);
  EXPECT_LT(value, -(std::int64_t{1} << 32) + 2);
  model.push(rans, value);
  EXPECT_EQ(rans.bytes(), before.bytes());
}

// Bits-back draws its samples by popping: their mean and variance are the model's, the variance
// with 1/12 of a bin of width 1. Standard errors: s / sqrt(n), s^2 sqrt(2 / n); five of them.
TEST(WindowModel, PoppingRandomBitsDrawsFromTheDistribution) {
  constexpr int kCount = 100000;
  std::string seed;
  for (std::uint32_t block = 0; block < 30000; ++block) {
    for (const std::uint32_t word : random_block({.seed = 3}, block)) {
      for (int i = 0; i < 4; ++i) seed.push_back(static_cast<char>(word >> 8 * i & 255));
    }
  }
  Rans rans = Rans::seeded(seed);
  const WindowModel model(CdfTable::normal(), q16(5.25), q16(1.3333));
  double sum = 0, squares = 0;
  for (int i = 0; i < kCount; ++i) {
    const double d = static_cast<double>(model.pop(rans)) - 5.25;
    sum += d, squares += d * d;
  }
  ASSERT_FALSE(rans.starved());
  const double variance = 1.3333 * 1.3333 + 1.0 / 12;
  EXPECT_NEAR(sum / kCount, 0, 5 * std::sqrt(variance / kCount));
  EXPECT_NEAR(squares / kCount, variance, 5 * variance * std::sqrt(2.0 / kCount));
}

}  // namespace
}  // namespace ddpm
