// Any bytes as the index of a transmitted step: finite noise, or an error.
#include <cmath>
#include <vector>

#include "ddpm/codec/transmitter.h"
#include "fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 4) return 0;
  const auto transmitter = static_cast<ddpm::Transmitter>(data[0] % 3);
  std::vector<float> z(1 + data[1] * 5 % 1200);
  const int budget = data[2] + (data[3] & 3) * 256;
  const auto codebook = data[3] & 4 ? ddpm::Codebook::small : ddpm::Codebook::large;
  ddpm::BitReader reader(ddpm::text_of(data + 4, size - 4));
  if (ddpm::receive(transmitter, {.codebook = codebook}, budget, reader, z)) {
    for (const float value : z) {
      ddpm::expect(std::abs(value) < 1000);
    }
  }
  return 0;
}
