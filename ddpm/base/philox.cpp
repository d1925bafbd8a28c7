#include "ddpm/base/philox.h"

#include <cmath>

#include "ddpm/base/error.h"
#include "ddpm/base/exact.h"

namespace ddpm {
namespace {

struct NormalPair {
  float first, second;
};

// Box-Muller in double: radius from (0, 1], angle from [0, 2 pi).
NormalPair box_muller(std::uint32_t a, std::uint32_t b) {
  constexpr double kTwoPi = 6.283185307179586476925;
  const double radius = std::sqrt(-2 * exact::log((a + 1.0) * 0x1p-32));
  const double angle = kTwoPi * (b * 0x1p-32);
  return {static_cast<float>(radius * exact::cos(angle)),
          static_cast<float>(radius * exact::sin(angle))};
}

}  // namespace

std::array<std::uint32_t, 4> philox4x32(std::array<std::uint32_t, 4> c,
                                        std::array<std::uint32_t, 2> k) {
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t p0 = 0xD2511F53ULL * c[0];
    const std::uint64_t p1 = 0xCD9E8D57ULL * c[2];
    c = {static_cast<std::uint32_t>(p1 >> 32) ^ c[1] ^ k[0], static_cast<std::uint32_t>(p1),
         static_cast<std::uint32_t>(p0 >> 32) ^ c[3] ^ k[1], static_cast<std::uint32_t>(p0)};
    k[0] += 0x9E3779B9U;
    k[1] += 0xBB67AE85U;
  }
  return c;
}

PhiloxInput philox_input(const NoiseKey& key, std::uint32_t block) {
  DDPM_DCHECK(key.image >> 44 == 0 && key.lane >> 12 == 0);
  const auto low = [](std::uint64_t v) { return static_cast<std::uint32_t>(v); };
  const std::uint32_t what =
      static_cast<std::uint32_t>(key.purpose) | key.lane << 8 | low(key.image >> 32) << 20;
  return {{block, low(key.image), key.step, what}, {low(key.seed), low(key.seed >> 32)}};
}

std::array<std::uint32_t, 4> random_block(const NoiseKey& key, std::uint32_t block) {
  const PhiloxInput input = philox_input(key, block);
  return philox4x32(input.counter, input.key);
}

void fill_normal(const NoiseKey& key, std::span<float> out, std::uint32_t first_block) {
  std::size_t i = 0;
  for (std::uint32_t block = first_block; i < out.size(); ++block) {
    const auto words = random_block(key, block);
    for (int pair = 0; pair < 2; ++pair) {
      const NormalPair z = box_muller(words[2 * pair], words[2 * pair + 1]);
      if (i < out.size()) out[i++] = z.first;
      if (i < out.size()) out[i++] = z.second;
    }
  }
}

double uniform(const NoiseKey& key, std::uint32_t i) {
  const auto words = random_block(key, i / 2);
  const std::uint64_t high = words[2 * (i % 2)], low = words[2 * (i % 2) + 1];
  return static_cast<double>((high << 32 | low) >> 11) * 0x1p-53;
}

std::uint64_t uniform_below(const NoiseKey& key, std::uint64_t n, std::uint32_t i) {
  DDPM_CHECK(n >= 1);
  const auto value = static_cast<std::uint64_t>(uniform(key, i) * static_cast<double>(n));
  return value < n ? value : n - 1;
}

}  // namespace ddpm
