// numpy.random.RandomState as far as published scores depend on it: MT19937 (Matsumoto & Nishimura
// 1998) and NumPy's shuffles of it.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

namespace ddpm {

class NumpyRandom {
 public:
  /// RandomState(seed).
  explicit NumpyRandom(std::uint32_t seed);

  std::uint32_t next();
  /// RandomState.permutation(n), n >= 0.
  std::vector<int> permutation(int n);
  /// RandomState.choice(n, m, replace=False): the whole shuffle is drawn whatever m is.
  std::vector<int> choice(int n, int m);

 private:
  void refill();

  static constexpr int kWords = 624;
  std::array<std::uint32_t, kWords> state_{};
  int used_ = kWords;
};

}  // namespace ddpm
