#include "ddpm/engine/cpu/view.h"

#include <algorithm>

namespace ddpm::cpu {

void write_planar(const View& view, std::span<const float> nchw) {
  const int pixels = view.pixels(), channels = view.shape.c, stride = view.stride();
  const std::size_t planar = view.shape.size();
  for (std::size_t n = 0; n < nchw.size() / planar; ++n) {
    float* image = view.image(static_cast<int>(n));
    for (int p = 0; p < pixels; ++p) {
      float* pixel = image + static_cast<std::size_t>(p) * stride;
      for (int c = 0; c < channels; ++c)
        pixel[c] = nchw[n * planar + std::size_t{1} * c * pixels + p];
      std::fill(pixel + channels, pixel + view.width(), 0.0f);
    }
  }
}

void read_planar(const View& view, std::span<float> nchw) {
  const int pixels = view.pixels(), channels = view.shape.c, stride = view.stride();
  const std::size_t planar = view.shape.size();
  for (std::size_t n = 0; n < nchw.size() / planar; ++n) {
    const float* image = view.image(static_cast<int>(n));
    for (int c = 0; c < channels; ++c) {
      for (int p = 0; p < pixels; ++p) {
        nchw[n * planar + std::size_t{1} * c * pixels + p] =
            image[static_cast<std::size_t>(p) * stride + c];
      }
    }
  }
}

}  // namespace ddpm::cpu
