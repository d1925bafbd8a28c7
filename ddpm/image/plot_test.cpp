#include "ddpm/image/plot.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "ddpm/base/error.h"
#include "ddpm/image/font.h"

namespace ddpm {
namespace {

int ink_of(const Image& image) {  // pixels that are not white
  int count = 0;
  for (std::size_t i = 0; i < image.pixels.size(); i += 3) {
    count += image.pixels[i] + image.pixels[i + 1] + image.pixels[i + 2] < 3 * 255;
  }
  return count;
}

bool is(const Image& image, int x, int y, Colour c) {
  return image.at(y, x, 0) == c.r && image.at(y, x, 1) == c.g && image.at(y, x, 2) == c.b;
}

TEST(Canvas, ALineCoversPixelsByTheirDistanceFromIt) {
  Canvas canvas(20, 10);
  canvas.line({2, 5}, {18, 5}, 2, {0, 0, 0});
  EXPECT_EQ(canvas.image().at(4, 10, 0), 0);  // rows 4 and 5 lie inside
  EXPECT_EQ(canvas.image().at(5, 10, 0), 0);
  EXPECT_EQ(canvas.image().at(3, 10, 0), 255);
  canvas.line({2, 8.25}, {18, 8.25}, 1, {0, 0, 0});  // covers 0.75 of row 8, 0.25 of row 7
  EXPECT_NEAR(canvas.image().at(8, 10, 0), 255 * 0.25, 1);
  EXPECT_NEAR(canvas.image().at(7, 10, 0), 255 * 0.75, 1);
}

TEST(Canvas, GapsAndHugePointsAreNoLines) {
  Canvas canvas(20, 20);
  const std::vector<Point> points = {{2, 2}, {NAN, 3}, {18, 18}};
  canvas.stroke(points, 1, {0, 0, 0});
  EXPECT_EQ(canvas.image().at(10, 10, 0), 255);
  canvas.line({-1e300, 10.5}, {1e300, 10.5}, 1, {0, 0, 0});
  EXPECT_EQ(canvas.image().at(10, 10, 0), 0);
  EXPECT_EQ(canvas.image().at(12, 10, 0), 255);
}

TEST(Canvas, NothingIsDrawnOutsideTheClip) {
  Canvas canvas(20, 20);
  canvas.clip({5, 5, 15, 15});
  const Image red = [] {
    Image image = blank_image(20, 20, 3);
    for (std::size_t i = 0; i < image.pixels.size(); i += 3) image.pixels[i] = 255;
    return image;
  }();
  canvas.picture(0, 0, red, 1);
  canvas.dot({15, 15}, 4, {0, 0, 255});
  EXPECT_TRUE(is(canvas.image(), 4, 10, {255, 255, 255}));
  EXPECT_TRUE(is(canvas.image(), 5, 10, {255, 0, 0}));
  EXPECT_TRUE(is(canvas.image(), 15, 15, {255, 255, 255}));
  canvas.clip_nothing();
  canvas.dot({18, 18}, 4, {0, 0, 255});
  EXPECT_TRUE(is(canvas.image(), 19, 19, {0, 0, 255}));
}

// Every printable character has a picture of its own, but for the space and pairs of one shape.
TEST(Font, HasAllOfAscii) {
  std::set<std::vector<std::uint8_t>> pictures;
  for (char c = 33; c < 127; ++c) {
    Canvas canvas(40, 40);
    canvas.text({10, 28}, std::string(1, c), {.size = 30});
    EXPECT_GT(ink_of(canvas.image()), 3) << c;
    EXPECT_TRUE(pictures.insert(canvas.image().pixels).second) << c;
    EXPECT_GT(glyph_of(c).advance, 0) << c;
  }
  EXPECT_TRUE(glyph_of(' ').strokes.empty());
  EXPECT_EQ(&glyph_of('\xc3'), &glyph_of('?'));
}

TEST(Font, SetsTextWhereItIsAskedTo) {
  const double width = text_width("abc", 20);
  EXPECT_NEAR(text_width("abcabc", 20), 2 * width + 3.4, 1e-9);
  EXPECT_LT(text_width("a_{bc}", 20), width);
  EXPECT_EQ(text_width("", 20), 0);
  const auto first_ink = [](Align align) {
    Canvas canvas(200, 40);
    canvas.text({100, 30}, "HH", {.size = 20, .align = align});
    int x = 0;
    while (canvas.image().at(25, x, 0) == 255) ++x;
    return x;
  };
  EXPECT_NEAR(first_ink(Align::left), 99, 1);
  EXPECT_NEAR(first_ink(Align::right), 99 - text_width("HH", 20), 1);
  EXPECT_NEAR(first_ink(Align::centre), 99 - text_width("HH", 20) / 2, 1);
}

Plot two_lines() {
  return {.title = "A title",
          .x = {.label = "time (s)", .low = 0, .high = 10},
          .y = {.label = "height (m)", .low = 0, .high = 10},
          .series = {{.label = "rising", .x = {0, 10}, .y = {0, 10}},
                     {.label = "level", .x = {0, 10}, .y = {5, 5}}},
          .width = 500,
          .height = 300};
}

// The lines cross in the middle of the axes; each is named in its own colour at its right end.
TEST(Plot, DrawsEverySeriesInItsColour) {
  const Image image = draw_plot(two_lines());
  EXPECT_EQ(image.width, 500);
  EXPECT_EQ(image.height, 300);
  int level = 0, rising = 0;
  for (int x = 0; x < 500; ++x) {
    for (int y = 0; y < 300; ++y) {
      rising += is(image, x, y, plot_colour(0));
      level += is(image, x, y, plot_colour(1));
    }
  }
  EXPECT_GT(rising, 300);
  EXPECT_GT(level, 300);
  EXPECT_EQ(image.pixels, draw_plot(two_lines()).pixels);
}

TEST(Plot, TakesGapsOnePointAndLogAxes) {
  Plot plot = two_lines();
  plot.series[0].y = {NAN, 10};
  EXPECT_NO_THROW(draw_plot(plot));
  plot.series = {{.label = "one", .x = {3}, .y = {0.5}, .mark = Mark::dots, .error = {0.1}}};
  plot.x = {.label = "n", .log = true};
  plot.y = {.label = "bits", .log = true};
  EXPECT_NO_THROW(draw_plot(plot));
  plot.series[0].y = {-1};
  EXPECT_THROW(draw_plot(plot), BugError);  // nothing that a log axis can show
  plot.series[0].y = {1, 2};
  EXPECT_THROW(draw_plot(plot), BugError);
}

TEST(Panels, ShowEveryImageScaledAndLeaveEmptyPlacesWhite) {
  Image red = blank_image(10, 10, 3);
  for (std::size_t i = 0; i < red.pixels.size(); i += 3) red.pixels[i] = 200;
  const Image gray = blank_image(10, 10, 1, 77);
  const Panels panels{.title = "t", .images = {{red, gray}, {{}, red}}, .min_side = 40};
  const Image image = draw_panels(panels);
  int reds = 0, grays = 0;
  for (int y = 0; y < image.height; ++y) {
    for (int x = 0; x < image.width; ++x) {
      reds += is(image, x, y, {200, 0, 0});
      grays += is(image, x, y, {77, 77, 77});
    }
  }
  EXPECT_EQ(reds, 2 * 40 * 40);
  EXPECT_GE(grays, 40 * 40);
  EXPECT_THROW(draw_panels({.title = "none"}), BugError);
}

}  // namespace
}  // namespace ddpm
