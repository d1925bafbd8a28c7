// What the sources of images share.
#pragma once

#include <cstdint>
#include <string>

#include "ddpm/base/shape.h"

namespace ddpm {

/// `300 images of 32x32 in a.npy`
std::string image_count(std::int64_t n, Shape shape, const std::string& name);

}  // namespace ddpm
