#include "ddpm/codec/zipf_code.h"

#include <gtest/gtest.h>

#include <cmath>

namespace ddpm {
namespace {

TEST(ZipfCode, EveryNumberComesBackAndTheCodeIsFull) {
  for (const int bits : {0, 1, 2, 7, 12}) {
    const ZipfCode code(bits, 1 / (bits + 1.53));
    double kraft = 0;
    for (std::uint32_t k = 1; k <= 1U << bits; ++k) {
      BitWriter writer;
      code.put(k, writer);
      BitReader reader(writer.bytes());
      ASSERT_EQ(code.take(reader).value(), k) << bits;
      ASSERT_EQ(reader.position(), writer.bits());
      kraft += std::exp2(-static_cast<double>(writer.bits()));
    }
    EXPECT_DOUBLE_EQ(kraft, 1) << bits;
  }
}

// Within a power of two the law is 1 / (x ln 2) on [1, 2), which a flat code pays with
// -1/2 - log2(ln 2) = 0.0288 bits; Huffman's code loses at most p + 0.086 (Gallager 1978), p the
// likeliest power's share, here 1's.
TEST(ZipfCode, CostsTheEntropyOfThePowerLawAndHuffmansLoss) {
  for (const int bits : {8, 16}) {
    const double decay = 1 / (bits - 2 + 1.53);
    const ZipfCode code(bits, decay);
    double sum = 0, cost = 0, log_sum = 0;
    for (std::uint32_t k = 1; k <= 1U << bits; ++k) {
      const double weight = std::pow(k, -1 - decay);
      BitWriter writer;
      code.put(k, writer);
      sum += weight;
      cost += weight * static_cast<double>(writer.bits());
      log_sum += weight * (1 + decay) * std::log2(k);
    }
    const double entropy = log_sum / sum + std::log2(sum);
    EXPECT_GT(cost / sum, entropy);
    EXPECT_LT(cost / sum, entropy + 0.029 + 1 / sum + 0.086) << bits;
  }
}

TEST(ZipfCode, ACutCodeNeedsMore) {
  const ZipfCode code(16, 0.06);
  BitWriter writer;
  code.put(60000, writer);
  BitReader cut(std::string_view(writer.bytes()).substr(0, writer.bytes().size() - 1));
  EXPECT_EQ(code.take(cut).error().code, FailureCode::need_more);
  EXPECT_THROW(code.put(0, writer), BugError);
}

}  // namespace
}  // namespace ddpm
