// Where the taps of a convolution lie: tables of offsets that turn it into matrix products.
#pragma once

#include <cstdint>
#include <vector>

#include "ddpm/engine/cpu/view.h"
#include "ddpm/net/graph.h"

namespace ddpm::cpu {

using Taps =
    std::vector<std::int32_t>;  // offset in floats from the start of an image, -1 = outside

/// [output pixel][kernel^2] into the input image: what output pixel p reads at tap kh * kernel +
/// kw. `stride`: floats from one input pixel to the next.
Taps forward_taps(const Attributes& a, const Shape& in, const Shape& out, int stride);

/// [input pixel][kernel^2] into the output's gradient, whose pixels are `stride` apart: where input
/// pixel p was read at each tap.
Taps backward_taps(const Attributes& a, const Shape& in, const Shape& out, int stride);

/// [rows][columns] -> [columns][rows].
Taps transposed(const Taps& taps, int columns);

/// The panels of a matrix product with `columns` outputs: full ones of two vectors, then perhaps
/// one of one vector.
struct Panels {
  explicit Panels(int columns);

  int count;
  int width;  // floats of a full panel

  int begin(int panel) const { return panel * width; }
  int vectors(int panel) const;  // 1 or 2
  int floats(int panel) const;   // its width

 private:
  int padded_columns_;
};

}  // namespace ddpm::cpu
