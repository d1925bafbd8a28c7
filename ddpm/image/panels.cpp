#include <algorithm>

#include "ddpm/base/error.h"
#include "ddpm/image/plot.h"

namespace ddpm {
namespace {

constexpr double kLabelSize = 15, kHeadingSize = 19;
constexpr int kNarrowGap = 4, kWideGap = 16, kEdge = 18;

class Table {
 public:
  explicit Table(const Panels& panels) : panels_(panels) {
    find_shape();
    double words = 0;
    for (const std::string& row : panels.rows) words = std::max(words, text_width(row, kLabelSize));
    left_ = kEdge + static_cast<int>(words) + (words > 0 ? 10 : 0) +
            (panels.row_axis.empty() ? 0 : static_cast<int>(kLabelSize) + 10);
    top_ = 46;
    if (!panels.subtitle.empty()) top_ += 24;
    if (!panels.column_axis.empty()) top_ += 22;
    if (!panels.columns.empty()) top_ += 22;
  }

  Image draw() {
    const double heading = std::max(text_width(panels_.title, kHeadingSize) * 1.02,
                                    text_width(panels_.subtitle, kLabelSize));
    const int width =
        std::max(column_left(columns_) - kNarrowGap, left_ + static_cast<int>(heading));
    const int rows = static_cast<int>(panels_.images.size());
    Canvas canvas(width + kEdge, top_ + rows * (height_ + kNarrowGap) - kNarrowGap + kEdge);
    words(canvas);
    for (int r = 0; r < rows; ++r) {
      const auto& row = panels_.images[static_cast<std::size_t>(r)];
      for (std::size_t c = 0; c < row.size(); ++c) {
        if (row[c].width > 0) {
          canvas.picture(column_left(static_cast<int>(c)), row_top(r), row[c], scale_);
        }
      }
    }
    return canvas.image();
  }

 private:
  void find_shape() {
    const Image* first = nullptr;
    for (const auto& row : panels_.images) {
      columns_ = std::max(columns_, static_cast<int>(row.size()));
      for (const Image& image : row) {
        if (image.width == 0) continue;
        if (first == nullptr) first = &image;
        DDPM_CHECK(image.width == first->width && image.height == first->height, "{} x {}",
                   image.width, image.height);
      }
    }
    DDPM_CHECK(first != nullptr, "{}: no image", panels_.title);
    scale_ = std::max(1, (panels_.min_side + first->width - 1) / first->width);
    width_ = first->width * scale_;
    height_ = first->height * scale_;
  }

  int column_left(int column) const {
    int left = left_ + column * (width_ + kNarrowGap);
    for (const int gap : panels_.gaps_after) left += gap < column ? kWideGap - kNarrowGap : 0;
    return left;
  }

  int row_top(int row) const { return top_ + row * (height_ + kNarrowGap); }

  void words(Canvas& canvas) const {
    const double x = left_;
    canvas.text({x, 30}, panels_.title, {.size = kHeadingSize, .colour = kInk, .bold = true});
    canvas.text({x, 54}, panels_.subtitle, {.size = kLabelSize, .colour = kQuiet});
    double above = top_ - 8;
    for (std::size_t c = 0; c < panels_.columns.size(); ++c) {
      const double middle = column_left(static_cast<int>(c)) + width_ / 2.0;
      canvas.text({middle, above}, panels_.columns[c],
                  {.size = kLabelSize, .colour = kInk, .align = Align::centre});
    }
    if (!panels_.columns.empty()) above -= 22;
    const double right = column_left(columns_) - kNarrowGap;
    canvas.text({(x + right) / 2, above}, panels_.column_axis,
                {.size = kLabelSize, .colour = kInk, .align = Align::centre});
    for (std::size_t r = 0; r < panels_.rows.size(); ++r) {
      const double middle = row_top(static_cast<int>(r)) + height_ / 2.0;
      canvas.text({x - 10, middle + kLabelSize * 0.35}, panels_.rows[r],
                  {.size = kLabelSize, .colour = kInk, .align = Align::right});
    }
    const double bottom = row_top(static_cast<int>(panels_.images.size())) - kNarrowGap;
    canvas.text({kEdge + kLabelSize * 0.5, (top_ + bottom) / 2}, panels_.row_axis,
                {.size = kLabelSize, .colour = kInk, .align = Align::centre, .upwards = true});
  }

  const Panels& panels_;
  int columns_ = 0, scale_ = 1, width_ = 0, height_ = 0, left_ = 0, top_ = 0;
};

}  // namespace

Image draw_panels(const Panels& panels) { return Table(panels).draw(); }

}  // namespace ddpm
