// For tests: FID's network with weights and images made of a hash (tests/golden/metrics/README.md).
#pragma once

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "ddpm/base/formula_for_test.h"
#include "ddpm/net/inception.h"

namespace ddpm {

inline std::vector<float> formula_tensor(const ParamSpec& spec) {
  const std::uint32_t seed = formula_seed(spec.name);
  const auto v = [&](std::size_t i) { return formula_value(seed, static_cast<std::uint32_t>(i)); };
  const auto ends = [&](const char* end) { return spec.name.ends_with(end); };
  double fan = 1;
  for (std::size_t k = 1; k < spec.shape.size(); ++k) fan *= spec.shape[k];
  const float gain = spec.name == "fc.weight" ? static_cast<float>(8 * std::sqrt(3 / fan))
                     : ends("conv.weight")    ? static_cast<float>(std::sqrt(6 / fan))
                                              : 0.1f;
  std::vector<float> t(spec.size());
  for (std::size_t i = 0; i < t.size(); ++i) {
    if (ends("bn.weight")) {
      t[i] = 1 + 0.25f * v(i);
    } else if (ends("running_var")) {
      t[i] = 0.75f + 0.5f * formula_unit(seed, static_cast<std::uint32_t>(i));
    } else {
      t[i] = gain * v(i);
    }
  }
  return t;
}

/// As the public files hold it.
inline TensorFile formula_inception() {
  TensorFile file;
  for (const ParamSpec& spec : inception_tensors()) {
    file.tensors[spec.name] =
        f32_tensor(formula_tensor(spec), {spec.shape.begin(), spec.shape.end()});
  }
  return file;
}

struct FormulaImages {
  std::uint32_t seed;
  int height, width;
  std::uint32_t largest = 24;  // frequency
  int noise_bits = 5;
};
inline constexpr FormulaImages kA32{1, 32, 32}, kA64x48{3, 64, 48}, kA400x350{5, 400, 350};

/// Image k: bytes [3, h, w].
inline std::vector<std::uint8_t> formula_image(const FormulaImages& set, int k) {
  std::vector<std::uint8_t> out;
  for (int c = 0; c < 3; ++c) {
    std::uint32_t b[5];
    for (int j = 0; j < 5; ++j) b[j] = formula_hash(set.seed, 32 * k + 8 * c + j);
    const int weight = b[4] & 255, base = b[3] & 255;
    for (int y = 0; y < set.height; ++y) {
      for (int x = 0; x < set.width; ++x) {
        const std::uint32_t v =
            (b[0] % set.largest * x + b[1] % set.largest * y + (b[2] & 511)) & 511;
        const int wave = static_cast<int>(v < 256 ? v : 511 - v);
        const std::uint32_t i = ((3 * k + c) * set.height + y) * set.width + x;
        const int noise =
            static_cast<int>(formula_hash(set.seed ^ 0x5BD1E995U, i) >> (32 - set.noise_bits));
        const int pixel =
            ((wave * weight + base * (256 - weight)) >> 8) + noise - (1 << (set.noise_bits - 1));
        out.push_back(static_cast<std::uint8_t>(std::clamp(pixel, 0, 255)));
      }
    }
  }
  return out;
}

}  // namespace ddpm
