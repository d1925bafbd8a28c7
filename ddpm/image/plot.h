// Line plots as a paper prints them: title, axes with units, numbers, every line named beside it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "ddpm/image/canvas.h"

namespace ddpm {

/// Colours that stay apart for the colour-blind (Okabe and Ito 2008), by number; they repeat
/// after kPlotColours.
inline constexpr int kPlotColours = 7;
Colour plot_colour(int number);

struct Axis {
  std::string label;  // with the unit
  bool log = false;
  std::optional<double> low, high;  // none: what the data need
};

enum class Mark { line, dots, line_and_dots };

struct Series {
  std::string label;         // beside its last point, in its colour; "" for none
  std::vector<double> x, y;  // of one length; a point that is not finite is a gap in the line
  Mark mark = Mark::line;
  std::vector<double> error = {};  // half a bar's height, one a point or none
  int colour = -1;                 // plot_colour; -1: its place among the series
  double width = 2;                // pixels
};

struct Plot {
  std::string title;
  std::string subtitle = {};  // what was measured, on what
  Axis x, y;
  std::vector<Series> series;
  int width = 900, height = 540;
  bool same_scale = false;  // a unit of x is as long as one of y (both linear)
};

/// RGB. Throws BugError unless there is a finite point.
Image draw_plot(const Plot& plot);

/// Small pictures in a table, with a line of words above each column and beside each row.
struct Panels {
  std::string title;
  std::string subtitle = {};
  std::string column_axis = {}, row_axis = {};       // what the columns and rows differ in
  std::vector<std::string> columns = {}, rows = {};  // one a column, one a row; or none
  std::vector<std::vector<Image>> images;            // [rows][columns]; width 0: an empty place
  std::vector<int> gaps_after = {};                  // columns with a wider gap behind them
  int min_side = 80;  // smaller images are shown with pixels of 2 x 2, 3 x 3, ...
};

/// RGB. All images have one shape. Throws BugError when there is none.
Image draw_panels(const Panels& panels);

}  // namespace ddpm
