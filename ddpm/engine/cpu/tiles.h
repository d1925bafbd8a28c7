// How an image falls into tiles of 4 x 4 outputs.
#pragma once

#include <cstdint>
#include <vector>

#include "ddpm/engine/cpu/view.h"

namespace ddpm::cpu {

struct Tiles {
  /// Of a convolution's output y; its kernel starts `pad` pixels before the input x.
  Tiles(const Shape& y, const Shape& x, int pad);
  /// Where both have one size.
  explicit Tiles(const Shape& image) : Tiles(image, image, 1) {}

  int count;                         // an image
  std::vector<std::int32_t> input;   // [count][36] pixel, or -1 outside: what a tile reads
  std::vector<std::int32_t> output;  // [count][16] pixel, or -1 outside: what a tile writes
};

}  // namespace ddpm::cpu
