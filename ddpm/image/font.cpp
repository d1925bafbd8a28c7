#include "ddpm/image/font.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "ddpm/base/error.h"

namespace ddpm {
namespace {

constexpr int kFirst = 32, kLast = 126;

struct Strokes {
  double advance;
  std::string_view path;  // as SVG's: M x y, L x y, Q x y (control) x y
};

// clang-format off
constexpr std::array<Strokes, kLast - kFirst + 1> kDrawings = {{
    {6, ""},                                                                               // space
    {4, "M0 14L0 4.5M0 .3L0 0"},                                                           // !
    {6, "M0 14L0 10M3 14L3 10"},                                                           // "
    {13, "M2 0L4 14M6.5 0L8.5 14M.6 9.4L10 9.4M0 4.6L9.4 4.6"},                            // #
    {12, "M8.5 11.3Q8 14 4.6 14Q.6 14 .6 10.7Q.6 8 4.6 7.2Q9 6.3 9 3.6Q9 0 4.6 0Q.6 0 0 3"
         "M4.6 16L4.6 -2"},                                                                // $
    {13, "M0 0L10 14M2.3 14Q0 14 0 11.2Q0 8.5 2.3 8.5Q4.6 8.5 4.6 11.2Q4.6 14 2.3 14"
         "M7.7 5.5Q5.4 5.5 5.4 2.7Q5.4 0 7.7 0Q10 0 10 2.7Q10 5.5 7.7 5.5"},               // %
    {12.5, "M9.5 6Q9 0 4 0Q0 0 0 3.6Q0 6 3.3 7.6Q7 9.4 7 11.4Q7 14 4.5 14Q2 14 2 11.5"
           "Q2 10 4 7.5L10 0"},                                                            // &
    {3.4, "M0 14L0 10"},                                                                   // '
    {6, "M3 16Q0 12 0 6Q0 0 3 -4"},                                                        // (
    {6, "M0 16Q3 12 3 6Q3 0 0 -4"},                                                        // )
    {9.5, "M3.5 14L3.5 7M.5 12.2L6.5 8.8M.5 8.8L6.5 12.2"},                                // *
    {12, "M4.5 1.5L4.5 10.5M0 6L9 6"},                                                     // +
    {4, "M.8 .8L.8 0L0 -2.5"},                                                             // ,
    {8, "M0 5.2L5 5.2"},                                                                   // -
    {3.6, "M0 .3L0 0"},                                                                    // .
    {8.5, "M0 -2L6 15"},                                                                   // /
    {11, "M4 0Q0 0 0 7Q0 14 4 14Q8 14 8 7Q8 0 4 0"},                                       // 0
    {11, "M1 11L4.8 14L4.8 0"},                                                            // 1
    {11, "M.4 10.4Q.4 14 4 14Q7.5 14 7.5 10.5Q7.5 8 4.5 4.8L0 0L8 0"},                     // 2
    {11, "M.4 11.4Q1 14 4 14Q7.4 14 7.4 10.9Q7.4 7.6 3.4 7.6M3.4 7.6Q8 7.6 8 3.8Q8 0 4 0Q.6 0 0 2.8"},
    {11, "M6.2 0L6.2 14L0 4L8.4 4"},                                                       // 4
    {11, "M7.4 14L1.2 14L.6 7.6Q2 9 4 9Q8 9 8 4.5Q8 0 4 0Q.8 0 0 2.6"},                    // 5
    {11, "M7 12.6Q6 14 4.3 14Q0 14 0 6Q0 0 4 0Q8 0 8 4.4Q8 8.8 4.2 8.8Q.8 8.8 .1 5.5"},    // 6
    {11, "M0 14L8 14L3 0"},                                                                // 7
    {11, "M4 7.6Q.6 7.6 .6 10.8Q.6 14 4 14Q7.4 14 7.4 10.8Q7.4 7.6 4 7.6Q0 7.6 0 3.8Q0 0 4 0"
         "Q8 0 8 3.8Q8 7.6 4 7.6"},                                                        // 8
    {11, "M1 1.4Q2 0 3.7 0Q8 0 8 8Q8 14 4 14Q0 14 0 9.6Q0 5.2 3.8 5.2Q7.2 5.2 7.9 8.5"},   // 9
    {4, "M0 .3L0 0M0 8.3L0 8"},                                                            // :
    {4.5, "M.8 8.3L.8 8M.8 .8L.8 0L0 -2.5"},                                               // ;
    {11, "M8 11L0 6L8 1"},                                                                 // <
    {12, "M0 4L9 4M0 8L9 8"},                                                              // =
    {11, "M0 11L8 6L0 1"},                                                                 // >
    {10, "M0 11Q.4 14 3.6 14Q7 14 7 11Q7 9 5 7.6Q3.6 6.6 3.6 4.5M3.6 .3L3.6 0"},           // ?
    {15.6, "M9 3.4Q7.8 2.4 6.4 2.4Q3.4 2.4 3.4 6Q3.4 9.4 6.4 9.4Q9 9.4 9 6.4M9 9.2L9 4.4"
           "Q9 2.4 10.6 2.4Q12.6 2.4 12.6 6.4Q12.6 13 6.6 13Q0 13 0 5.5Q0 -2 6.6 -2Q9 -2 10.6 -1"},
    {12, "M0 0L5 14L10 0M1.8 5L8.2 5"},                                                    // A
    {12, "M0 0L0 14L4.8 14Q8.4 14 8.4 10.8Q8.4 7.6 4.8 7.6L0 7.6M4.8 7.6Q9.2 7.6 9.2 3.8"
         "Q9.2 0 4.8 0L0 0"},                                                              // B
    {12.5, "M9.5 10.8Q8.5 14 5.3 14Q0 14 0 7Q0 0 5.3 0Q8.5 0 9.5 3.2"},                    // C
    {13, "M0 0L0 14L4 14Q10 14 10 7Q10 0 4 0L0 0"},                                        // D
    {11, "M8 14L0 14L0 0L8 0M0 7.3L7 7.3"},                                                // E
    {10.5, "M8 14L0 14L0 0M0 7.3L7 7.3"},                                                  // F
    {13, "M9.5 10.8Q8.5 14 5.3 14Q0 14 0 7Q0 0 5.3 0Q9.9 0 9.9 5L9.9 6.6L6 6.6"},          // G
    {13, "M0 0L0 14M10 0L10 14M0 7.3L10 7.3"},                                             // H
    {3.6, "M0 0L0 14"},                                                                    // I
    {9, "M6 14L6 4Q6 0 3 0Q0 0 0 3.5"},                                                    // J
    {12, "M0 0L0 14M9 14L0 5.5M3 8.3L9.5 0"},                                              // K
    {10, "M0 14L0 0L7.5 0"},                                                               // L
    {15, "M0 0L0 14L6 4L12 14L12 0"},                                                      // M
    {13, "M0 0L0 14L10 0L10 14"},                                                          // N
    {14, "M5.5 0Q0 0 0 7Q0 14 5.5 14Q11 14 11 7Q11 0 5.5 0"},                              // O
    {11.5, "M0 0L0 14L4.8 14Q8.8 14 8.8 10.3Q8.8 6.6 4.8 6.6L0 6.6"},                      // P
    {14, "M5.5 0Q0 0 0 7Q0 14 5.5 14Q11 14 11 7Q11 0 5.5 0M7 3.5L11 -.8"},                 // Q
    {12, "M0 0L0 14L4.8 14Q8.8 14 8.8 10.3Q8.8 6.6 4.8 6.6L0 6.6M5 6.6L9.4 0"},            // R
    {12, "M8.5 11.3Q8 14 4.6 14Q.6 14 .6 10.7Q.6 8 4.6 7.2Q9 6.3 9 3.6Q9 0 4.6 0Q.6 0 0 3"},
    {12, "M0 14L10 14M5 14L5 0"},                                                          // T
    {13, "M0 14L0 5Q0 0 5 0Q10 0 10 5L10 14"},                                             // U
    {12, "M0 14L5 0L10 14"},                                                               // V
    {17, "M0 14L3.7 0L7.5 13L11.3 0L15 14"},                                               // W
    {12, "M0 0L9.5 14M0 14L9.5 0"},                                                        // X
    {12, "M0 14L5 7L10 14M5 7L5 0"},                                                       // Y
    {11.5, "M0 14L9 14L0 0L9 0"},                                                          // Z
    {6, "M3 16L0 16L0 -3L3 -3"},                                                           // [
    {8.5, "M0 15L6 -2"},                                                                   // backslash
    {6, "M0 16L3 16L3 -3L0 -3"},                                                           // ]
    {10, "M0 9L3.5 14L7 9"},                                                               // ^
    {10, "M0 -2L8 -2"},                                                                    // _
    {5, "M0 14L2 11.5"},                                                                   // `
    {11, "M8 10L8 0M8 6.8Q7.5 10 4.2 10Q0 10 0 5Q0 0 4.2 0Q7.5 0 8 3.2"},                  // a
    {11, "M0 14.5L0 0M0 6.8Q.5 10 3.8 10Q8 10 8 5Q8 0 3.8 0Q.5 0 0 3.2"},                  // b
    {10, "M7.4 7.6Q6.8 10 4.2 10Q0 10 0 5Q0 0 4.2 0Q6.8 0 7.4 2.4"},                       // c
    {11, "M8 14.5L8 0M8 6.8Q7.5 10 4.2 10Q0 10 0 5Q0 0 4.2 0Q7.5 0 8 3.2"},                // d
    {11, "M0 5.4L8 5.4Q8 10 4.1 10Q0 10 0 5Q0 0 4.2 0Q7 0 7.8 2.2"},                       // e
    {7, "M5.4 14.3Q2 15 2 11.5L2 0M0 9.6L5 9.6"},                                          // f
    {11, "M8 10L8 -.5Q8 -4.2 4.2 -4.2Q1.2 -4.2 .5 -2.4M8 6.8Q7.5 10 4.2 10Q0 10 0 5Q0 0 4.2 0"
         "Q7.5 0 8 3.2"},                                                                  // g
    {10.5, "M0 14.5L0 0M0 6.5Q.8 10 4 10Q7.5 10 7.5 6.3L7.5 0"},                           // h
    {3.6, "M0 10L0 0M0 13.8L0 13.6"},                                                      // i
    {5, "M1.5 10L1.5 -1.5Q1.5 -4.2 -.8 -4.2M1.5 13.8L1.5 13.6"},                           // j
    {10, "M0 14.5L0 0M7 10L0 3.8M2.6 6L7.5 0"},                                            // k
    {3.6, "M0 14.5L0 0"},                                                                  // l
    {16, "M0 10L0 0M0 6.5Q.7 10 3.5 10Q6.5 10 6.5 6.3L6.5 0M6.5 6.5Q7.2 10 10 10Q13 10 13 6.3L13 0"},
    {10.5, "M0 10L0 0M0 6.5Q.8 10 4 10Q7.5 10 7.5 6.3L7.5 0"},                             // n
    {11.4, "M4.2 0Q0 0 0 5Q0 10 4.2 10Q8.4 10 8.4 5Q8.4 0 4.2 0"},                         // o
    {11, "M0 10L0 -4M0 6.8Q.5 10 3.8 10Q8 10 8 5Q8 0 3.8 0Q.5 0 0 3.2"},                   // p
    {11, "M8 10L8 -4M8 6.8Q7.5 10 4.2 10Q0 10 0 5Q0 0 4.2 0Q7.5 0 8 3.2"},                 // q
    {7, "M0 10L0 0M0 6Q.8 10 4.5 9.8"},                                                    // r
    {9.6, "M6.6 8Q6.2 10 3.5 10Q.4 10 .4 7.6Q.4 5.8 3.6 5.2Q7 4.6 7 2.5Q7 0 3.6 0Q.4 0 0 2.1"},
    {8, "M2 13L2 3Q2 0 4.5 0Q5.2 0 5.8 .3M0 9.6L5.4 9.6"},                                 // t
    {10.5, "M0 10L0 3.7Q0 0 3.5 0Q6.7 0 7.5 3.5M7.5 10L7.5 0"},                            // u
    {10, "M0 10L4 0L8 10"},                                                                // v
    {14, "M0 10L3 0L6 9.5L9 0L12 10"},                                                     // w
    {9.8, "M0 0L7.5 10M0 10L7.5 0"},                                                       // x
    {10, "M0 10L4 0M8 10L3.4 -1.6Q2.4 -4.2 .2 -4"},                                        // y
    {9.8, "M0 10L7.5 10L0 0L7.5 0"},                                                       // z
    {7, "M4 16Q2 16 2 13.5L2 8.5Q2 6.5 0 6.5Q2 6.5 2 4.5L2 -.5Q2 -3 4 -3"},                // {
    {3.6, "M0 16L0 -3"},                                                                   // |
    {7, "M0 16Q2 16 2 13.5L2 8.5Q2 6.5 4 6.5Q2 6.5 2 4.5L2 -.5Q2 -3 0 -3"},                // }
    {14, "M0 5Q1 7.5 3 7.5Q4.5 7.5 5.5 6.2Q6.5 5 8 5Q10 5 11 7.5"},                        // ~
}};
// clang-format on

double read_number(std::string_view& path) {
  while (!path.empty() && path.front() == ' ') path.remove_prefix(1);
  double value = 0;
  const auto [end, error] = std::from_chars(path.data(), path.data() + path.size(), value);
  DDPM_CHECK(error == std::errc(), "{}", path);
  path.remove_prefix(static_cast<std::size_t>(end - path.data()));
  return value;
}

Point point(std::string_view& path) {
  const double x = read_number(path);
  return {x, read_number(path)};
}

Glyph read(const Strokes& drawing) {
  constexpr int kPieces = 8;  // of a curve
  Glyph glyph{drawing.advance, {}};
  for (std::string_view path = drawing.path; !path.empty();) {
    const char command = path.front();
    path.remove_prefix(1);
    const Point p = point(path);
    if (command == 'M') {
      glyph.strokes.push_back({p});
    } else if (command == 'L') {
      glyph.strokes.back().push_back(p);
    } else {
      const Point from = glyph.strokes.back().back(), to = point(path);
      for (int i = 1; i <= kPieces; ++i) {
        const double u = double(i) / kPieces, v = 1 - u;
        glyph.strokes.back().push_back({v * v * from.x + 2 * u * v * p.x + u * u * to.x,
                                        v * v * from.y + 2 * u * v * p.y + u * u * to.y});
      }
    }
  }
  return glyph;
}

// A character of a line, placed: `_{...}` and `^{...}` are small, below and above.
struct Placed {
  const Glyph* glyph;
  double x, y, scale;  // in the font's units
};

struct Line {
  std::vector<Placed> glyphs;
  double width = 0;
};

Line set_line(std::string_view text) {
  constexpr double kSmall = 0.72, kDrawnGap = 3, kLetterGap = 3.4;  // behind a letter
  Line line;
  double x = 0, y = 0, scale = 1, gap = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool opens = (text[i] == '_' || text[i] == '^') && text.substr(i + 1, 1) == "{";
    if (opens && scale == 1) {
      y = text[i] == '_' ? -3 : 6;
      scale = kSmall;
      ++i;
    } else if (text[i] == '}' && scale != 1) {
      y = 0;
      scale = 1;
    } else {
      const Glyph& glyph = glyph_of(text[i]);
      line.glyphs.push_back({&glyph, x, y, scale});
      gap = text[i] == ' ' ? 0 : kLetterGap * scale;
      x += (glyph.advance + kLetterGap - kDrawnGap) * scale;
    }
  }
  line.width = std::max(x - gap, 0.0);
  return line;
}

}  // namespace

const Glyph& glyph_of(char c) {
  static const std::vector<Glyph> glyphs = [] {
    std::vector<Glyph> all;
    for (const Strokes& drawing : kDrawings) all.push_back(read(drawing));
    return all;
  }();
  const int code = static_cast<unsigned char>(c);
  return glyphs[static_cast<std::size_t>((code < kFirst || code > kLast ? '?' : code) - kFirst)];
}

double text_width(std::string_view text, double size) {
  return set_line(text).width * size / kFontUnits;
}

void Canvas::text(Point at, std::string_view text, const TextStyle& style) {
  const Line line = set_line(text);
  const double unit = style.size / kFontUnits;
  const double start =
      style.align == Align::left ? 0 : -line.width * unit / (style.align == Align::centre ? 2 : 1);
  const double width = style.size * (style.bold ? 0.12 : 0.08);
  for (const Placed& placed : line.glyphs) {
    for (const std::vector<Point>& stroke_points : placed.glyph->strokes) {
      std::vector<Point> points;
      for (const Point& p : stroke_points) {
        const double along = start + (placed.x + p.x * placed.scale) * unit;
        const double up = (placed.y + p.y * placed.scale) * unit;
        points.push_back(style.upwards ? Point{at.x - up, at.y - along}
                                       : Point{at.x + along, at.y - up});
      }
      stroke(points, width, style.colour);
    }
  }
}

}  // namespace ddpm
