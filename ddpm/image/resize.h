// Resizing as Pillow does it for 8-bit images: separable, antialiased, 22-bit fixed point, bit for
// bit.
#pragma once

#include "ddpm/image/image.h"

namespace ddpm {

enum class Filter { box, bilinear, bicubic, lanczos };

/// Image.resize((width, height), filter) of Pillow 9.4. Throws Error unless width and height are
/// >= 1.
Image resize(const Image& image, int width, int height, Filter filter = Filter::lanczos);

}  // namespace ddpm
