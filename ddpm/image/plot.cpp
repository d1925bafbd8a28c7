#include "ddpm/image/plot.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "ddpm/base/error.h"
#include "ddpm/image/ticks.h"

namespace ddpm {
namespace {

constexpr Colour kGrid = {230, 230, 230};
constexpr double kText = 16, kTitle = 20, kGap = 8;

struct Bounds {
  double low = INFINITY, high = -INFINITY;

  void add(double value, bool log) {
    if (!std::isfinite(value) || (log && value <= 0)) return;
    low = std::min(low, value);
    high = std::max(high, value);
  }
};

Range range_of(const Axis& axis, const Bounds& data) {
  Range range{axis.low.value_or(data.low), axis.high.value_or(data.high), axis.log};
  DDPM_CHECK(std::isfinite(range.low) && std::isfinite(range.high) &&
                 (!axis.log || (range.low > 0 && range.high > 0)),
             "{}: no finite point", axis.label);
  if (range.low >= range.high) {  // one value: some room on both sides
    const double room = axis.log ? 0 : std::max(std::abs(range.low) * 0.1, 1e-3);
    range.low = axis.log ? range.low / 2 : range.low - room;
    range.high = axis.log ? range.high * 2 : range.high + room;
  }
  const double pad = axis.log ? 0 : 0.04 * (range.high - range.low);
  const double ratio = axis.log ? std::sqrt(std::sqrt(range.high / range.low)) : 1;
  const double stretch = std::min(ratio, 1.25);
  if (!axis.low) range.low = range.low / (axis.log ? stretch : 1) - pad;
  if (!axis.high) range.high = range.high * (axis.log ? stretch : 1) + pad;
  return range;
}

bool in_range(const Range& range, double value) {
  const double place = range.place(value);
  return std::isfinite(place) && place >= -1e-9 && place <= 1 + 1e-9;
}

class Drawing {
 public:
  explicit Drawing(const Plot& plot) : plot_(plot), canvas_(plot.width, plot.height) {
    Bounds x, y;
    for (const Series& s : plot.series) {
      DDPM_CHECK(s.x.size() == s.y.size() && (s.error.empty() || s.error.size() == s.x.size()),
                 "{}: {} x, {} y, {} errors", s.label, s.x.size(), s.y.size(), s.error.size());
      for (std::size_t i = 0; i < s.x.size(); ++i) {
        const double error = s.error.empty() ? 0 : s.error[i];
        x.add(s.x[i], plot.x.log);
        y.add(s.y[i], plot.y.log);
        y.add(s.y[i] - error, plot.y.log);
        y.add(s.y[i] + error, plot.y.log);
      }
    }
    x_ = range_of(plot.x, x);
    y_ = range_of(plot.y, y);
    lay_out();
  }

  Image draw() {
    titles();
    axes();
    for (std::size_t i = 0; i < plot_.series.size(); ++i) series(plot_.series[i], colour(i));
    labels();
    return canvas_.image();
  }

 private:
  Colour colour(std::size_t i) const {
    const int chosen = plot_.series[i].colour;
    return plot_colour(chosen >= 0 ? chosen : static_cast<int>(i));
  }

  void lay_out() {
    x_ticks_ = make_ticks(x_, 7);
    y_ticks_ = make_ticks(y_, 6);
    double numbers = 0, names = 0;
    for (const Tick& tick : y_ticks_) numbers = std::max(numbers, text_width(tick.label, kText));
    for (const Series& s : plot_.series) names = std::max(names, text_width(s.label, kText));
    area_.left = 22 + kText + numbers + 2 * kGap;
    area_.top = plot_.subtitle.empty() ? 54 : 80;
    area_.right = plot_.width - (names > 0 ? names + 3 * kGap : 0) - 22;
    area_.bottom = plot_.height - 62;
    if (!plot_.same_scale) return;
    const double unit = std::min((area_.right - area_.left) / (x_.high - x_.low),
                                 (area_.bottom - area_.top) / (y_.high - y_.low));
    area_.right = area_.left + unit * (x_.high - x_.low);
    area_.bottom = area_.top + unit * (y_.high - y_.low);
  }

  Point at(double x, double y) const {
    return {area_.left + x_.place(x) * (area_.right - area_.left),
            area_.bottom - y_.place(y) * (area_.bottom - area_.top)};
  }

  void titles() {
    canvas_.text({area_.left, 32}, plot_.title, {.size = kTitle, .colour = kInk, .bold = true});
    canvas_.text({area_.left, 58}, plot_.subtitle, {.size = kText, .colour = kQuiet});
    const double middle_x = (area_.left + area_.right) / 2;
    canvas_.text({middle_x, area_.bottom + 48}, plot_.x.label,
                 {.size = kText, .colour = kInk, .align = Align::centre});
    const double middle_y = (area_.top + area_.bottom) / 2;
    canvas_.text({14 + kText * 0.7, middle_y}, plot_.y.label,
                 {.size = kText, .colour = kInk, .align = Align::centre, .upwards = true});
  }

  void axes() {
    for (const Tick& tick : x_ticks_) {
      const double x = at(tick.value, y_.low).x;
      if (!tick.label.empty()) canvas_.line({x, area_.top}, {x, area_.bottom}, 1, kGrid);
      canvas_.line({x, area_.bottom}, {x, area_.bottom + (tick.label.empty() ? 3 : 6)}, 1, kInk);
      canvas_.text({x, area_.bottom + 22}, tick.label,
                   {.size = kText, .colour = kInk, .align = Align::centre});
    }
    for (const Tick& tick : y_ticks_) {
      const double y = at(x_.low, tick.value).y;
      if (!tick.label.empty()) canvas_.line({area_.left, y}, {area_.right, y}, 1, kGrid);
      canvas_.line({area_.left - (tick.label.empty() ? 3 : 6), y}, {area_.left, y}, 1, kInk);
      canvas_.text({area_.left - kGap - 3, y + kText * 0.35}, tick.label,
                   {.size = kText, .colour = kInk, .align = Align::right});
    }
    canvas_.line({area_.left, area_.bottom}, {area_.right, area_.bottom}, 1.2, kInk);
    canvas_.line({area_.left, area_.top}, {area_.left, area_.bottom}, 1.2, kInk);
  }

  void series(const Series& s, Colour ink) {
    canvas_.clip({area_.left - 5, area_.top - 5, area_.right + 5, area_.bottom + 5});
    std::vector<Point> points;
    for (std::size_t i = 0; i < s.x.size(); ++i) points.push_back(at(s.x[i], s.y[i]));
    for (std::size_t i = 0; i < s.error.size(); ++i) {
      if (std::isfinite(points[i].y)) {
        canvas_.line(at(s.x[i], s.y[i] - s.error[i]), at(s.x[i], s.y[i] + s.error[i]), 1.4, ink);
      }
    }
    if (s.mark != Mark::dots) canvas_.stroke(points, s.width, ink);
    for (const Point& p : points) {
      if (s.mark != Mark::line && std::isfinite(p.y)) canvas_.dot(p, s.width + 1.8, ink);
    }
    canvas_.clip_nothing();
  }

  struct Label {
    std::string text;
    Point at;
    Colour colour;
  };

  // Beside the last point that is seen, pushed apart from above to below where they would touch.
  void labels() {
    std::vector<Label> all;
    for (std::size_t i = 0; i < plot_.series.size(); ++i) {
      const Series& s = plot_.series[i];
      for (std::size_t k = s.x.size(); k-- > 0 && !s.label.empty();) {
        if (!in_range(x_, s.x[k]) || !in_range(y_, s.y[k])) continue;
        const double y = std::clamp(at(s.x[k], s.y[k]).y, area_.top + 4, area_.bottom - 4);
        all.push_back({s.label, {area_.right + kGap + 4, y}, colour(i)});
        break;
      }
    }
    std::ranges::stable_sort(all, {}, [](const Label& l) { return l.at.y; });
    constexpr double kApart = kText * 1.25;
    for (std::size_t i = 1; i < all.size(); ++i) {
      all[i].at.y = std::max(all[i].at.y, all[i - 1].at.y + kApart);
    }
    double limit = area_.bottom + kText;  // and back up where the last fell off the end
    for (std::size_t i = all.size(); i-- > 0; limit = all[i].at.y - kApart) {
      all[i].at.y = std::min(all[i].at.y, limit);
    }
    for (const Label& label : all) {
      canvas_.text({label.at.x, label.at.y + kText * 0.35}, label.text,
                   {.size = kText, .colour = label.colour});
    }
  }

  const Plot& plot_;
  Canvas canvas_;
  Range x_, y_;
  Rectangle area_;
  std::vector<Tick> x_ticks_, y_ticks_;
};

}  // namespace

Colour plot_colour(int number) {
  constexpr std::array<Colour, kPlotColours> kColours = {{{0, 114, 178},
                                                          {213, 94, 0},
                                                          {0, 158, 115},
                                                          {204, 121, 167},
                                                          {86, 60, 150},
                                                          {160, 110, 0},
                                                          {60, 60, 60}}};
  return kColours[static_cast<std::size_t>(number) % kColours.size()];
}

Image draw_plot(const Plot& plot) { return Drawing(plot).draw(); }

}  // namespace ddpm
