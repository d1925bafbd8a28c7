#include "ddpm/codec/transmitter.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <vector>

#include "ddpm/base/error.h"
#include "ddpm/base/file.h"
#include "ddpm/base/philox.h"
#include "ddpm/codec/hadamard.h"

namespace ddpm {
namespace {

using Floats = std::vector<float>;

// A shift of n elements in a random direction that costs `kl` bits.
Floats shift_of(std::size_t n, double kl, std::uint64_t seed) {
  Floats u(n);
  fill_normal({.seed = seed, .purpose = Purpose::eval_noise}, u);
  const double scale = std::sqrt(kl / kl_bits(u));
  for (float& value : u) value = static_cast<float>(value * scale);
  return u;
}

double dot(const Floats& a, const Floats& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += double{a[i]} * b[i];
  return sum;
}

struct Sent {
  std::string bytes;
  double bits;
  Floats z;
};

Sent sent(Transmitter transmitter, const StepKey& key, int budget, const Floats& u) {
  BitWriter writer;
  Floats z(u.size());
  const double bits = send(transmitter, key, budget, u, writer, z);
  return {writer.bytes(), bits, z};
}

struct Case {
  Transmitter transmitter;
  int budget;
  Codebook codebook = Codebook::large;
};
const std::vector<Case> kCases = {{Transmitter::hadamard, 0},
                                  {Transmitter::hadamard, 14},
                                  {Transmitter::hadamard, 77},
                                  {Transmitter::hadamard, 4000},
                                  {Transmitter::pfr, 0},
                                  {Transmitter::pfr, 1},
                                  {Transmitter::pfr, 7},
                                  {Transmitter::pfr, 16},
                                  {Transmitter::greedy, 0},
                                  {Transmitter::greedy, 1},
                                  {Transmitter::greedy, 9},
                                  {Transmitter::greedy, 23},
                                  {Transmitter::hadamard, 77, Codebook::small}};

TEST(Transmitter, TheReceiverMakesTheSendersNoiseToTheBit) {
  for (const std::size_t n : {1U, 2U, 63U, 65U, 784U, 3072U}) {
    for (const auto& [transmitter, budget, codebook] : kCases) {
      if (n > 1000 && transmitter != Transmitter::hadamard)
        continue;  // slow, and cut into chunks anyway
      const StepKey key{n, 3, static_cast<std::uint32_t>(budget), codebook};
      const Sent s = sent(transmitter, key, budget, shift_of(n, budget * 0.8 + 0.1, 1));
      BitReader reader(s.bytes);
      Floats z(n);
      ASSERT_TRUE(receive(transmitter, key, budget, reader, z)) << name_of(transmitter) << n;
      EXPECT_EQ(z, s.z);
      EXPECT_EQ(static_cast<double>(reader.position()), s.bits);
      EXPECT_LE(s.bits, transmitter == Transmitter::pfr ? 2 * budget + 9 : budget);
    }
  }
}

TEST(Transmitter, BudgetZeroSendsNothingAndGivesFreshNoiseEachStep) {
  for (const auto transmitter : {Transmitter::hadamard, Transmitter::pfr, Transmitter::greedy}) {
    const Sent a = sent(transmitter, {.step = 1}, 0, shift_of(784, 3, 1));
    const Sent b = sent(transmitter, {.step = 1}, 0, shift_of(784, 9, 2));
    const Sent c = sent(transmitter, {.step = 2}, 0, shift_of(784, 3, 1));
    EXPECT_EQ(a.bits, 0);
    EXPECT_EQ(a.z, b.z);
    EXPECT_NE(a.z, c.z);
  }
}

// Cut at every bit: need_more, and z untouched.
TEST(Transmitter, ACutIndexNeedsMoreAndLeavesZAlone) {
  for (const auto& [transmitter, budget, codebook] : kCases) {
    if (budget == 0 || budget > 100) continue;
    const StepKey key{.codebook = codebook};
    const Sent s = sent(transmitter, key, budget, shift_of(100, budget, 1));
    for (std::size_t size = 0; size < s.bytes.size(); ++size) {
      BitReader reader(std::string_view(s.bytes).substr(0, size));
      Floats z(100, 0.5F);
      const auto received = receive(transmitter, key, budget, reader, z);
      if (size + 1 == s.bytes.size() && received) continue;
      ASSERT_FALSE(received);
      EXPECT_EQ(received.error().code, FailureCode::need_more);
      EXPECT_EQ(z, Floats(100, 0.5F));
    }
  }
}

// Any bits at all: noise of ordinary size, or an error. Nothing else.
TEST(Transmitter, RandomIndicesGiveFiniteNoiseOrAnError) {
  int failures = 0;
  for (std::uint32_t i = 0; i < 300; ++i) {
    const auto& [transmitter, budget, codebook] = kCases[i % kCases.size()];
    std::string bytes;
    for (std::uint32_t j = 0; j < 600; ++j) {
      bytes.push_back(static_cast<char>(uniform_below({.seed = i}, 256, j)));
    }
    BitReader reader(bytes);
    Floats z(300);
    if (!receive(transmitter, {.codebook = codebook}, budget, reader, z)) {
      ++failures;
      continue;
    }
    for (const float value : z) ASSERT_LT(std::abs(value), 20);
  }
  EXPECT_GT(failures, 0);  // subsets leave a share of their numbers unused
}

TEST(Transmitter, IdealDrawsFromQCountsTheKlAndCannotBeReceived) {
  const Floats u = shift_of(4096, 50, 1);
  const Sent s = sent(Transmitter::ideal, {}, 7, u);
  EXPECT_NEAR(s.bits, 50, 1e-4);
  EXPECT_TRUE(s.bytes.empty());
  // <z - u, u> / |u| is standard normal.
  EXPECT_LT(std::abs(dot(s.z, u) - dot(u, u)) / std::sqrt(dot(u, u)), 4);
  BitReader reader(s.bytes);
  Floats z(4096);
  EXPECT_EQ(receive(Transmitter::ideal, {}, 7, reader, z).error().code, FailureCode::unsupported);
}

TEST(Transmitter, NamesAreReadBack) {
  for (int i = 0; i < 4; ++i) {
    const auto transmitter = static_cast<Transmitter>(i);
    EXPECT_EQ(parse_transmitter(name_of(transmitter)), transmitter);
  }
  EXPECT_THROW(parse_transmitter("Hadamard"), Error);
}

TEST(Transmitter, BadArgumentsAreBugs) {
  BitWriter writer;
  Floats u(4), z(5);
  EXPECT_THROW(send(Transmitter::hadamard, {}, 10, u, writer, z), BugError);
  z.resize(4);
  EXPECT_THROW(send(Transmitter::hadamard, {}, -1, u, writer, z), BugError);
  u[0] = std::nanf("");
  EXPECT_THROW(send(Transmitter::hadamard, {}, 10, u, writer, z), BugError);
}

// Index and noise to the bit, on every machine; a change makes old files unreadable.
TEST(Transmitter, AStepHasTheseBits) {
  const auto digest = [](Transmitter transmitter, int budget, Codebook codebook = Codebook::large) {
    const Sent s = sent(transmitter, {5, 6, 7, codebook}, budget, shift_of(784, 40, 1));
    return sha256_hex(s.bytes + std::string(reinterpret_cast<const char*>(s.z.data()), 4 * 784))
        .substr(0, 16);
  };
  EXPECT_EQ(digest(Transmitter::hadamard, 60, Codebook::small), "59dca37c1566c544");
  EXPECT_EQ(digest(Transmitter::hadamard, 60), "ffa676b3a5c6de83");
  EXPECT_EQ(digest(Transmitter::pfr, 8), "38f47afd3dd66c58");
  EXPECT_EQ(digest(Transmitter::greedy, 10), "e3e81442a9590637");
}

// What z looks like over many steps, apart from its part along u.
struct Noise {
  std::vector<double> across;  // z without its part along u, all steps in a row
  std::vector<double> along;   // <z, u> / |u| of each step
  double bits = 0;             // a step
  double across_steps = 0;     // mean of z_i of one step times z_i of the next, a different u
  double neighbours = 0;       // mean of z_i z_(i + 1)
};

Noise noise_of(Transmitter transmitter, std::size_t n, double kl, int budget, std::uint32_t steps,
               Codebook codebook = Codebook::large) {
  Noise noise;
  std::vector<double> last(n), now(n);
  for (std::uint32_t step = 0; step < steps; ++step) {
    const Floats u = shift_of(n, kl, step);
    const Sent s = sent(transmitter, {1, 0, step, codebook}, budget, u);
    const double length = std::sqrt(dot(u, u)), along = dot(s.z, u) / length;
    for (std::size_t i = 0; i < n; ++i) now[i] = s.z[i] - along * u[i] / length;
    for (std::size_t i = 0; i < n; ++i) {
      noise.across_steps += now[i] * last[i];
      if (i > 0) noise.neighbours += now[i] * now[i - 1];
    }
    noise.across.insert(noise.across.end(), now.begin(), now.end());
    noise.along.push_back(along);
    noise.bits += s.bits / steps;
    last = now;
  }
  noise.across_steps /= static_cast<double>(noise.across.size());
  noise.neighbours /= static_cast<double>(noise.across.size());
  return noise;
}

double mean(const std::vector<double>& values) {
  double sum = 0;
  for (const double value : values) sum += value;
  return sum / static_cast<double>(values.size());
}

// sqrt(n) times the largest distance from the normal distribution's cumulative (Kolmogorov and
// Smirnov): above 1.95 for one sample of a thousand.
double kolmogorov_smirnov(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const auto n = static_cast<double>(values.size());
  double distance = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double phi = 0.5 * std::erfc(-values[i] / std::numbers::sqrt2);
    distance = std::max({distance, std::abs(phi - static_cast<double>(i) / n),
                         std::abs(phi - static_cast<double>(i + 1) / n)});
  }
  return std::sqrt(n) * distance;
}

class TransmittedNoise : public ::testing::TestWithParam<std::tuple<Transmitter, int, int>> {};

// Correlations: means of products of independent standard normals, standard error 1 / sqrt(count);
// variance: sqrt(2 / count), and 1 / n of it went along u. Five of them.
TEST_P(TransmittedNoise, IsStandardNormalAndUncorrelated) {
  const auto [transmitter, n, budget] = GetParam();
  const std::uint32_t steps = transmitter == Transmitter::hadamard ? 200 : 40;
  const Noise noise = noise_of(transmitter, n, 0.8 * budget, budget, steps);
  EXPECT_LT(kolmogorov_smirnov(noise.across), 1.95);
  const double limit = 5 / std::sqrt(static_cast<double>(noise.across.size()));
  EXPECT_LT(std::abs(mean(noise.across)), limit);
  double square = 0;
  for (const double value : noise.across) square += value * value;
  EXPECT_NEAR(square / static_cast<double>(noise.across.size()), 1 - 1.0 / n, limit * std::sqrt(2));
  EXPECT_LT(std::abs(noise.across_steps), limit);
  EXPECT_LT(std::abs(noise.neighbours), limit);
}

INSTANTIATE_TEST_SUITE_P(All, TransmittedNoise,
                         ::testing::Values(std::tuple{Transmitter::hadamard, 784, 21},
                                           std::tuple{Transmitter::hadamard, 784, 64},
                                           std::tuple{Transmitter::hadamard, 1024, 32},
                                           std::tuple{Transmitter::hadamard, 3072, 250},
                                           std::tuple{Transmitter::pfr, 784, 6},
                                           std::tuple{Transmitter::greedy, 784, 8}),
                         [](const auto& test) {
                           return name_of(std::get<0>(test.param)) +
                                  std::to_string(std::get<1>(test.param)) + "x" +
                                  std::to_string(std::get<2>(test.param));
                         });

// The shift that M atoms deliver is sqrt(M) times the mean of the M largest of N absolute normals,
// 2 phi(t) N / M with 2 Phi(-t) N = M: for N = 65536 and M = 1, 4, 16: 4.5, 4.21, 3.9; for N =
// 2^20: 5.1, 4.86, 4.54. The KL that it is worth, shift^2 / (2 ln 2), over the M + log2(N over M)
// bits: 0.86, 0.81, 0.78; 0.89, 0.85, 0.82. Atoms that are near the same u are near each other,
// which takes 0.02 (measured over 400 steps). The mean of 30 steps may stray: one atom's
// correlation has deviation 0.25 and the noise 0.13, 0.05 of 4.5 in all, 2 % of the KL a standard
// error at M = 1 and less beyond.
TEST(Hadamard, DeliversTheKlOfTheShiftForAFifthMoreBits) {
  struct Row {
    Codebook codebook;
    int budget;
    double least;
  };
  for (const auto& [codebook, budget, least] : std::vector<Row>{{Codebook::small, 17, 0.82},
                                                                {Codebook::small, 64, 0.79},
                                                                {Codebook::small, 250, 0.74},
                                                                {Codebook::large, 21, 0.83},
                                                                {Codebook::large, 80, 0.81},
                                                                {Codebook::large, 292, 0.78}}) {
    const Noise noise = noise_of(Transmitter::hadamard, 1024, 2.0 * budget, budget, 30, codebook);
    const double shift = mean(noise.along);
    const double delivered = shift * shift / (2 * std::numbers::ln2);
    EXPECT_GT(delivered / noise.bits, least) << budget;
    EXPECT_LT(delivered / noise.bits, 1) << budget;
  }
}

// A sender who may say more than there is to say chooses atoms that move z by |u| and no further.
// Atoms of the wanted correlation are plenty; what varies is the shared noise, share 0.02.
TEST(Hadamard, NeverShiftsFurtherThanAsked) {
  for (const double kl : {0.0, 0.5, 5.0, 20.0}) {
    const Floats u = shift_of(1024, kl + 1e-9, 1);
    const double length = std::sqrt(dot(u, u));
    const Sent s = sent(Transmitter::hadamard, {}, 100, u);
    EXPECT_NEAR(dot(s.z, u) / length, length, 5 * std::sqrt(0.02)) << kl;
  }
}

// Of 4096 atoms of 64 elements, for 13 bits: 3.7, less 4 standard errors of 0.55 / sqrt(40); atoms
// that are all the same would deliver the largest of 64, 2.6.
TEST(Hadamard, DeliversAShiftOfTheSmallestStepsToo) {
  for (const Codebook codebook : {Codebook::small, Codebook::large}) {
    EXPECT_GT(mean(noise_of(Transmitter::hadamard, 64, 30, 13, 40, codebook).along), 3.3);
  }
}

TEST(Hadamard, BudgetsBuyWholeAtoms) {
  for (const Codebook codebook : {Codebook::small, Codebook::large}) {
    int last = 0;
    for (int budget = 0; budget <= 1000; ++budget) {
      const int atoms = hadamard_atoms(codebook, 784, budget);
      EXPECT_GE(atoms, last);
      EXPECT_LE(hadamard_bits(codebook, 784, atoms), budget);
      EXPECT_GT(hadamard_bits(codebook, 784, atoms + 1), budget);
      last = atoms;
    }
  }
  // log2(bases * size), and a sign.
  EXPECT_EQ(hadamard_bits(Codebook::small, 1, 1), 13);
  EXPECT_EQ(hadamard_bits(Codebook::small, 784, 1), 17);
  EXPECT_EQ(hadamard_bits(Codebook::large, 1, 1), 13);      // 64 bases of 64
  EXPECT_EQ(hadamard_bits(Codebook::large, 256, 1), 17);    // 256 of 256
  EXPECT_EQ(hadamard_bits(Codebook::large, 784, 1), 21);    // 1024 of 1024
  EXPECT_EQ(hadamard_bits(Codebook::large, 3072, 1), 21);   // 256 of 4096
  EXPECT_EQ(hadamard_bits(Codebook::large, 65536, 1), 23);  // 64 of 65536
  EXPECT_EQ(hadamard_bits(Codebook::large, kMaxStepSize, 1), 25);
}

// A shift far outside what a step should carry: no overflow, still the right direction.
TEST(Hadamard, HugeShiftsAreSentAsWellAsTheBudgetAllows) {
  Floats u(3072, 0.0F);
  u[7] = 1e18F;
  const Sent s = sent(Transmitter::hadamard, {}, 100, u);
  EXPECT_GT(s.z[7], 4);
  u.assign(3072, -1e15F);
  EXPECT_LT(dot(sent(Transmitter::hadamard, {}, 100, u).z, Floats(3072, 1)), -4 * std::sqrt(3072));
}

// A greedy choice among 2^b is worth E[max]^2 / (2 ln 2) = 0.72 b bits at b = 8: E[max] = 2.83.
// The PFR cut off at 2^(8 + 2) delivers 0.84 |u| (docs/compression.md); both means over 40 steps
// with standard errors below 1 / sqrt(40) = 0.16.
TEST(Candidates, DeliverWhatTheoryAndTheirCutSay) {
  const Noise greedy = noise_of(Transmitter::greedy, 256, 8, 8, 40);
  EXPECT_NEAR(mean(greedy.along), 2.83, 4 * 0.16);
  EXPECT_NEAR(greedy.bits, 8, 1e-12);
  const Noise pfr = noise_of(Transmitter::pfr, 256, 8, 8, 40);
  EXPECT_NEAR(mean(pfr.along), 0.84 * std::sqrt(16 * std::numbers::ln2), 4 * 0.16);
  EXPECT_LT(pfr.bits, 8 + 3);
}

}  // namespace
}  // namespace ddpm
