// How an image falls into tiles of 4 x 4 outputs.
#pragma once

#include <cstdint>
#include <vector>

#include "ddpm/engine/cpu/view.h"

namespace ddpm::cpu {

struct Tiles {
  explicit Tiles(const Shape& image);

  int count;                         // an image
  std::vector<std::int32_t> input;   // [count][36] pixel, or -1 outside: what a tile reads
  std::vector<std::int32_t> output;  // [count][16] pixel, or -1 outside: what a tile writes
};

}  // namespace ddpm::cpu
