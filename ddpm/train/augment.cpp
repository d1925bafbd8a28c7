#include "ddpm/train/augment.h"

#include <algorithm>
#include <vector>

#include "ddpm/base/philox.h"

namespace ddpm {

void mirror(std::span<std::uint8_t> chw, Shape shape) {
  for (std::size_t row = 0; row < chw.size(); row += static_cast<std::size_t>(shape.w)) {
    std::ranges::reverse(chw.subspan(row, static_cast<std::size_t>(shape.w)));
  }
}

void move_image(std::span<std::uint8_t> chw, Shape shape, int dx, int dy) {
  const std::vector<std::uint8_t> from(chw.begin(), chw.end());
  std::size_t i = 0;
  for (int c = 0; c < shape.c; ++c) {
    for (int y = 0; y < shape.h; ++y) {
      const int row = c * shape.h + std::clamp(y - dy, 0, shape.h - 1);
      for (int x = 0; x < shape.w; ++x) {
        chw[i++] = from[row * shape.w + std::clamp(x - dx, 0, shape.w - 1)];
      }
    }
  }
}

void augment(const DataConfig& data, std::uint64_t seed, std::uint64_t position, Shape shape,
             std::span<std::uint8_t> chw) {
  if (data.flip && uniform({.seed = seed, .purpose = Purpose::flip, .image = position}) < 0.5) {
    mirror(chw, shape);
  }
  if (data.shift == 0) return;
  const NoiseKey key{.seed = seed, .purpose = Purpose::shift, .image = position};
  const auto width = 2 * static_cast<std::uint64_t>(data.shift) + 1;
  const int dx = static_cast<int>(uniform_below(key, width, 0)) - data.shift;
  const int dy = static_cast<int>(uniform_below(key, width, 1)) - data.shift;
  move_image(chw, shape, dx, dy);
}

}  // namespace ddpm
