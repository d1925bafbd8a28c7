// The shape of one image or activation; the batch is not part of it.
#pragma once

#include <cstddef>

namespace ddpm {

/// Channels, height, width. A vector of n values is {n, 1, 1}.
struct Shape {
  int c = 0, h = 1, w = 1;

  std::size_t size() const { return static_cast<std::size_t>(c) * h * w; }
  int pixels() const { return h * w; }
  bool operator==(const Shape&) const = default;
};

}  // namespace ddpm
