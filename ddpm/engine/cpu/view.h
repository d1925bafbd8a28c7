// Where a value lies: [image][pixel][channel], channels padded to kLanes.
#pragma once

#include <span>

#include "ddpm/base/shape.h"
#include "ddpm/engine/cpu/kernels.h"

namespace ddpm::cpu {

struct View {
  float* data = nullptr;
  Shape shape;

  int stride() const { return padded(shape.c); }  // floats a pixel
  int pixels() const { return shape.pixels(); }
  std::size_t image_size() const { return static_cast<std::size_t>(stride()) * pixels(); }
  float* image(int n) const { return data + n * image_size(); }
};

/// From [n, C, H, W] to the view's layout, padding zeroed; and back.
void write_planar(const View& view, std::span<const float> nchw);
void read_planar(const View& view, std::span<float> nchw);

}  // namespace ddpm::cpu
