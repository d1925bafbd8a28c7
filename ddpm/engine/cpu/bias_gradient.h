// The gradient of a convolution's bias.
#pragma once

#include <span>

#include "ddpm/engine/cpu/view.h"

namespace ddpm::cpu {

/// Floats that bias_gradient() needs.
inline std::size_t bias_gradient_floats(const View& dy) {
  return 4 * static_cast<std::size_t>(dy.width());
}

/// bias[c] = sum of dy over the pixels of some images: image by image, in double.
void bias_gradient(const View& dy, int first_image, int images, float* scratch,
                   std::span<float> bias);

}  // namespace ddpm::cpu
