// The letters of plots: strokes of our own drawing, so that they scale and need no file.
#pragma once

#include <string_view>
#include <vector>

#include "ddpm/image/canvas.h"

namespace ddpm {

/// In the font's units, y upwards: baseline 0, small letters 10, capitals 14, descenders -4.
inline constexpr double kFontUnits = 20;  // from line to line

struct Glyph {
  double advance;
  std::vector<std::vector<Point>> strokes;  // curves as short lines
};

/// The glyph of an ASCII character 32..126; `?`'s for any other.
const Glyph& glyph_of(char c);

}  // namespace ddpm
