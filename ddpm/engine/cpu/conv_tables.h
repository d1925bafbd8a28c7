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

/// Pixels of a product's result that are reached by the same taps.
struct PixelGroup {
  int pixels = 0;
  std::vector<std::int32_t> places;  // of each pixel in its image; empty: 0, 1, 2, ...
  std::vector<int> taps;             // in increasing order
  int first_tap = 0;                 // taps of the groups before it
  Taps offsets;                      // [pixel][tap]
};

/// One group: forward_taps().
std::vector<PixelGroup> forward_groups(const Attributes& a, const Shape& in, const Shape& out,
                                       int stride);

/// Where input pixels were read at each tap, as offsets into the output's gradient, whose pixels
/// are `stride` apart. A convolution of stride s has s^2 groups: pixel (y, x) is of group (y mod s,
/// x mod s), and no tap is in two.
std::vector<PixelGroup> backward_groups(const Attributes& a, const Shape& in, const Shape& out,
                                        int stride);

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
