#include "ddpm/codec/walsh.h"

#include <bit>
#include <cstring>

#include "ddpm/base/error.h"

namespace ddpm {
namespace {

// Four lanes at once on every machine that g++ and clang know; integer lanes have no rounding.
using Lanes = std::int32_t __attribute__((vector_size(16)));

Lanes load(const std::int32_t* from) {
  Lanes lanes;
  std::memcpy(&lanes, from, sizeof lanes);
  return lanes;
}

void store(std::int32_t* to, Lanes lanes) { std::memcpy(to, &lanes, sizeof lanes); }

void stages_1_and_2(std::int32_t* x) {
  const std::int32_t a = x[0] + x[1], b = x[0] - x[1], c = x[2] + x[3], d = x[2] - x[3];
  x[0] = a + c, x[1] = b + d, x[2] = a - c, x[3] = b - d;
}

}  // namespace

void walsh_hadamard(std::span<std::int32_t> x) {
  const std::size_t n = x.size();
  DDPM_CHECK(n >= 8 && std::has_single_bit(n), "{}", n);
  for (std::size_t i = 0; i < n; i += 4) stages_1_and_2(&x[i]);
  for (std::size_t half = 4; half < n; half *= 2) {
    for (std::size_t block = 0; block < n; block += 2 * half) {
      for (std::size_t i = block; i < block + half; i += 4) {
        const Lanes a = load(&x[i]), b = load(&x[i + half]);
        store(&x[i], a + b);
        store(&x[i + half], a - b);
      }
    }
  }
}

}  // namespace ddpm
