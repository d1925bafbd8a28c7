// Where a value lies: [image][pixel][channel], channels padded to kLanes. A value may be a range of
// another's channels (a part of a concatenation): then its pixels are further apart than it is
// wide.
#pragma once

#include <span>

#include "ddpm/base/shape.h"
#include "ddpm/engine/cpu/kernels.h"

namespace ddpm::cpu {

struct View {
  float* data = nullptr;
  Shape shape;
  int pixel_stride = 0;  // floats from one pixel to the next; 0 = width()

  int width() const { return padded(shape.c); }  // floats of a pixel, padding included
  int stride() const { return pixel_stride == 0 ? width() : pixel_stride; }
  bool dense() const { return stride() == width(); }
  int pixels() const { return shape.pixels(); }
  std::size_t image_size() const { return static_cast<std::size_t>(stride()) * pixels(); }
  float* image(int n) const { return data + n * image_size(); }  // image_size() apart
  float* pixel(int n, int p) const { return image(n) + static_cast<std::size_t>(p) * stride(); }
};

/// From [n, C, H, W] to the view's layout, padding zeroed; and back.
void write_planar(const View& view, std::span<const float> nchw);
void read_planar(const View& view, std::span<float> nchw);

}  // namespace ddpm::cpu
