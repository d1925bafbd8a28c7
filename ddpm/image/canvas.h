// A picture to draw on: anti-aliased lines, dots and text, for plots and captions.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "ddpm/image/image.h"

namespace ddpm {

struct Colour {
  std::uint8_t r = 0, g = 0, b = 0;
};

/// In pixels from the left upper corner; whole numbers are the pixels' corners.
struct Point {
  double x = 0, y = 0;
};

struct Rectangle {
  double left = 0, top = 0, right = 0, bottom = 0;
};

inline constexpr Colour kInk = {38, 38, 38}, kQuiet = {105, 105, 105};  // of words

enum class Align { left, centre, right };

struct TextStyle {
  double size = 15;  // pixels from line to line; capitals are 0.7 of it
  Colour colour = {};
  Align align = Align::left;
  bool bold = false;
  bool upwards = false;  // written from below to above
};

/// Pixels from the first to the last stroke.
double text_width(std::string_view text, double size);

class Canvas {
 public:
  Canvas(int width, int height, Colour background = {255, 255, 255});

  /// Later drawing, text too, stays inside.
  void clip(const Rectangle& area);
  void clip_nothing();

  /// A line with round ends through the points; a point that is not finite ends a piece of it.
  void stroke(std::span<const Point> points, double width, Colour colour);
  void line(Point from, Point to, double width, Colour colour);
  void dot(Point centre, double radius, Colour colour);

  /// ASCII on the baseline through `at`, which is the text's left end, centre or right end; other
  /// bytes are `?`. `_{...}` and `^{...}` are set small, below and above the line.
  void text(Point at, std::string_view text, const TextStyle& style);

  /// `image` (1 or 3 channels), each of its pixels scale x scale, with its corner at (left, top).
  void picture(int left, int top, const Image& image, int scale);

  const Image& image() const { return image_; }

 private:
  void blend(int x, int y, Colour colour, double opacity);

  Image image_;
  Rectangle clip_;
};

}  // namespace ddpm
