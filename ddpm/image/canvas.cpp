#include "ddpm/image/canvas.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "ddpm/base/error.h"

namespace ddpm {
namespace {

constexpr double kFar = 1e5;  // nothing visible changes when a point moves farther out

bool finite(Point p) { return std::isfinite(p.x) && std::isfinite(p.y); }

Point near(Point p) { return {std::clamp(p.x, -kFar, kFar), std::clamp(p.y, -kFar, kFar)}; }

double distance_to_segment(Point p, Point a, Point b) {
  const double dx = b.x - a.x, dy = b.y - a.y, length2 = dx * dx + dy * dy;
  const double along =
      length2 > 0 ? std::clamp(((p.x - a.x) * dx + (p.y - a.y) * dy) / length2, 0.0, 1.0) : 0;
  const double x = p.x - a.x - along * dx, y = p.y - a.y - along * dy;
  return std::sqrt(x * x + y * y);
}

struct Pixels {
  int left, top, right, bottom;

  bool empty() const { return right <= left || bottom <= top; }
};

Pixels pixels_of(const Rectangle& r, const Rectangle& clip) {
  return {static_cast<int>(std::floor(std::max(r.left, clip.left))),
          static_cast<int>(std::floor(std::max(r.top, clip.top))),
          static_cast<int>(std::ceil(std::min(r.right, clip.right))),
          static_cast<int>(std::ceil(std::min(r.bottom, clip.bottom)))};
}

Rectangle around(Point a, Point b, double radius) {
  return {std::min(a.x, b.x) - radius, std::min(a.y, b.y) - radius, std::max(a.x, b.x) + radius,
          std::max(a.y, b.y) + radius};
}

// How much of each pixel a line covers. Pieces are joined by the larger, so that a joint is as dark
// as the rest.
class Coverage {
 public:
  explicit Coverage(Pixels area)
      : area_(area),
        width_(area.right - area.left),
        values_(static_cast<std::size_t>(width_) * (area.bottom - area.top)) {}

  void add(Point a, Point b, double radius) {
    const Rectangle whole = {double(area_.left), double(area_.top), double(area_.right),
                             double(area_.bottom)};
    const Pixels box = pixels_of(around(a, b, radius + 1), whole);
    for (int y = box.top; y < box.bottom; ++y) {
      for (int x = box.left; x < box.right; ++x) {
        const double d = distance_to_segment({x + 0.5, y + 0.5}, a, b);
        float& value = at(x, y);
        value = std::max(value, static_cast<float>(std::clamp(radius + 0.5 - d, 0.0, 1.0)));
      }
    }
  }

  float& at(int x, int y) {
    return values_[static_cast<std::size_t>(y - area_.top) * width_ + (x - area_.left)];
  }

 private:
  Pixels area_;
  int width_;
  std::vector<float> values_;
};

}  // namespace

Canvas::Canvas(int width, int height, Colour background) : image_(blank_image(width, height, 3)) {
  for (std::size_t i = 0; i < image_.pixels.size(); i += 3) {
    image_.pixels[i] = background.r;
    image_.pixels[i + 1] = background.g;
    image_.pixels[i + 2] = background.b;
  }
  clip_nothing();
}

void Canvas::clip(const Rectangle& area) {
  clip_ = {std::max(area.left, 0.0), std::max(area.top, 0.0),
           std::min(area.right, double(image_.width)),
           std::min(area.bottom, double(image_.height))};
}

void Canvas::clip_nothing() { clip_ = {0, 0, double(image_.width), double(image_.height)}; }

void Canvas::blend(int x, int y, Colour colour, double opacity) {
  const std::uint8_t ink[] = {colour.r, colour.g, colour.b};
  for (int c = 0; c < 3; ++c) {
    std::uint8_t& value = image_.at(y, x, c);
    value = static_cast<std::uint8_t>(std::rint(value + (ink[c] - value) * opacity));
  }
}

void Canvas::stroke(std::span<const Point> points, double width, Colour colour) {
  // A hairline of less than a pixel is a pale line of one.
  const double radius = std::max(width, 1.0) / 2;
  const double opacity = std::min(width, 1.0);
  Rectangle all = {kFar, kFar, -kFar, -kFar};
  for (const Point& p : points) {
    if (!finite(p)) continue;
    const Rectangle r = around(near(p), near(p), radius + 1);
    all = {std::min(all.left, r.left), std::min(all.top, r.top), std::max(all.right, r.right),
           std::max(all.bottom, r.bottom)};
  }
  const Pixels area = pixels_of(all, clip_);
  if (area.empty()) return;
  Coverage coverage(area);
  for (std::size_t i = 0; i < points.size(); ++i) {
    if (!finite(points[i])) continue;
    const bool goes_on = i + 1 < points.size() && finite(points[i + 1]);
    coverage.add(near(points[i]), near(points[goes_on ? i + 1 : i]), radius);
  }
  for (int y = area.top; y < area.bottom; ++y) {
    for (int x = area.left; x < area.right; ++x) {
      if (const float c = coverage.at(x, y); c > 0) blend(x, y, colour, c * opacity);
    }
  }
}

void Canvas::line(Point from, Point to, double width, Colour colour) {
  const Point ends[] = {from, to};
  stroke(ends, width, colour);
}

void Canvas::dot(Point centre, double radius, Colour colour) {
  stroke({&centre, 1}, 2 * radius, colour);
}

void Canvas::picture(int left, int top, const Image& image, int scale) {
  DDPM_CHECK(image.channels == 1 || image.channels == 3, "{} channels", image.channels);
  const Rectangle whole = {double(left), double(top), double(left) + image.width * scale,
                           double(top) + image.height * scale};
  const Pixels box = pixels_of(whole, clip_);
  for (int y = box.top; y < box.bottom; ++y) {
    for (int x = box.left; x < box.right; ++x) {
      const int from_y = (y - top) / scale, from_x = (x - left) / scale;
      for (int c = 0; c < 3; ++c) {
        image_.at(y, x, c) = image.at(from_y, from_x, image.channels == 3 ? c : 0);
      }
    }
  }
}

}  // namespace ddpm
