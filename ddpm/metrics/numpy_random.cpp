#include "ddpm/metrics/numpy_random.h"

#include <bit>
#include <numeric>
#include <utility>

#include "ddpm/base/error.h"

namespace ddpm {

NumpyRandom::NumpyRandom(std::uint32_t seed) {
  state_[0] = seed;
  for (std::uint32_t i = 1; i < kWords; ++i) {
    state_[i] = 1812433253U * (state_[i - 1] ^ state_[i - 1] >> 30) + i;
  }
}

void NumpyRandom::refill() {
  for (int i = 0; i < kWords; ++i) {
    const std::uint32_t y = (state_[i] & 0x80000000U) | (state_[(i + 1) % kWords] & 0x7fffffffU);
    state_[i] = state_[(i + 397) % kWords] ^ y >> 1 ^ (y % 2 != 0 ? 0x9908b0dfU : 0);
  }
  used_ = 0;
}

std::uint32_t NumpyRandom::next() {
  if (used_ == kWords) refill();
  std::uint32_t y = state_[used_++];
  y ^= y >> 11;
  y ^= y << 7 & 0x9d2c5680U;
  y ^= y << 15 & 0xefc60000U;
  return y ^ y >> 18;
}

std::vector<int> NumpyRandom::permutation(int n) {
  std::vector<int> order(n);
  std::iota(order.begin(), order.end(), 0);
  for (int i = n - 1; i >= 1; --i) {
    const std::uint32_t mask = std::bit_ceil(static_cast<std::uint32_t>(i) + 1) - 1;
    std::uint32_t j;
    do {
      j = next() & mask;
    } while (j > static_cast<std::uint32_t>(i));
    std::swap(order[i], order[j]);
  }
  return order;
}

std::vector<int> NumpyRandom::choice(int n, int m) {
  DDPM_CHECK(m <= n, "{} of {}", m, n);
  std::vector<int> order = permutation(n);
  order.resize(m);
  return order;
}

}  // namespace ddpm
