// Pictures as text: a character cell is about twice as high as wide, so U+2580 (upper half block)
// shows two pixels, the upper one in the foreground colour and the lower one in the background
// colour.
#include <algorithm>
#include <array>
#include <cstdint>

#include "ddpm/base/error.h"
#include "ddpm/image/image.h"
#include "ddpm/image/resize.h"

namespace ddpm {
namespace {

using Rgb = std::array<int, 3>;
constexpr Rgb kNone = {-1, -1, -1};  // the terminal's own colour

Rgb pixel(const Image& image, int y, int x) {
  if (y >= image.height) return kNone;
  return {image.at(y, x, 0), image.at(y, x, 1), image.at(y, x, 2)};
}

// "Select graphic rendition" of ECMA-48: 38 is the foreground, 48 the background, 49 its default.
std::string colour(int code, const Rgb& c) {
  if (c == kNone) return fmt::format("\x1b[{}m", code + 1);
  return fmt::format("\x1b[{};2;{};{};{}m", code, c[0], c[1], c[2]);
}

// Only changes of colour are written: a grid's gaps cost a byte or three a cell then, not forty.
std::string line(const Image& image, int y) {
  std::string text;
  Rgb upper = kNone, lower = kNone;
  for (int x = 0; x < image.width; ++x) {
    const Rgb top = pixel(image, y, x), bottom = pixel(image, y + 1, x);
    if (top != upper) text += colour(38, top);
    if (bottom != lower) text += colour(48, bottom);
    text += "\u2580";
    upper = top, lower = bottom;
  }
  return text + "\x1b[0m\n";
}

Image fit(const Image& image, int max_columns) {
  if (image.width <= max_columns) return image;
  const auto height = std::int64_t{image.height} * max_columns / image.width;
  return resize(image, max_columns, static_cast<int>(std::max<std::int64_t>(height, 1)),
                Filter::box);
}

}  // namespace

std::string terminal_blocks(const Image& image, int max_columns) {
  check_image(image);
  DDPM_CHECK(max_columns >= 1, "{} columns", max_columns);
  const Image shown = fit(with_channels(image, 3), max_columns);
  std::string text;
  for (int y = 0; y < shown.height; y += 2) text += line(shown, y);
  return text;
}

}  // namespace ddpm
