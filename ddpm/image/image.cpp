#include "ddpm/image/image.h"

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "ddpm/base/error.h"

namespace ddpm {
namespace {

struct Rgba {
  int r, g, b, a;
};

Rgba rgba_of(const std::uint8_t* p, int channels) {
  switch (channels) {
    case 1:
      return {p[0], p[0], p[0], 255};
    case 2:
      return {p[0], p[0], p[0], p[1]};
    case 3:
      return {p[0], p[1], p[2], 255};
    default:
      return {p[0], p[1], p[2], p[3]};
  }
}

int over_white(int value, int alpha) { return (value * alpha + 255 * (255 - alpha) + 127) / 255; }

// ITU-R 601-2 in 16-bit fixed point, as Pillow's L24 rounds it; gray stays what it was, for the
// weights sum to 65536.
int luma(const Rgba& c) { return (c.r * 19595 + c.g * 38470 + c.b * 7471 + 0x8000) >> 16; }

void store(const Rgba& c, std::uint8_t* p, int channels) {
  if (channels <= 2) {
    p[0] = static_cast<std::uint8_t>(luma(c));
  } else {
    p[0] = static_cast<std::uint8_t>(c.r);
    p[1] = static_cast<std::uint8_t>(c.g);
    p[2] = static_cast<std::uint8_t>(c.b);
  }
  if (channels % 2 == 0) p[channels - 1] = static_cast<std::uint8_t>(c.a);
}

Image crop(const Image& image, int left, int top, int width, int height) {
  Image out = blank_image(width, height, image.channels);
  const std::size_t row = std::size_t{1} * width * image.channels;
  for (int y = 0; y < height; ++y) {
    const auto begin = image.pixels.begin() +
                       (std::ptrdiff_t{1} * (top + y) * image.width + left) * image.channels;
    std::copy_n(begin, row, out.pixels.begin() + static_cast<std::ptrdiff_t>(y * row));
  }
  return out;
}

}  // namespace

void check_image(const Image& image) {
  DDPM_CHECK(
      image.width >= 1 && image.height >= 1 && image.channels >= 1 && image.channels <= 4 &&
          image.pixels.size() == std::size_t{1} * image.width * image.height * image.channels,
      "{} x {} x {}, {} bytes", image.width, image.height, image.channels, image.pixels.size());
}

Image blank_image(int width, int height, int channels, std::uint8_t value) {
  DDPM_CHECK(width >= 1 && height >= 1 && channels >= 1 && channels <= 4, "{} x {} x {}", width,
             height, channels);
  return {width, height, channels,
          std::vector<std::uint8_t>(std::size_t{1} * width * height * channels, value)};
}

void image_to_floats(const Image& image, std::span<float> chw) {
  check_image(image);
  DDPM_CHECK(chw.size() == image.pixels.size(), "{} floats", chw.size());
  const std::size_t pixels = std::size_t{1} * image.width * image.height;
  for (int c = 0; c < image.channels; ++c) {
    for (std::size_t i = 0; i < pixels; ++i) {
      chw[c * pixels + i] = byte_to_float(image.pixels[i * image.channels + c]);
    }
  }
}

std::uint8_t float_to_byte(float x) {
  const float unit = x / 2 + 0.5F;
  if (!(unit > 0)) return 0;  // NaN too
  return static_cast<std::uint8_t>(std::rint(std::min(unit, 1.0F) * 255));
}

Image image_from_floats(std::span<const float> chw, Shape shape) {
  DDPM_CHECK(chw.size() == shape.size(), "{} floats", chw.size());
  Image image = blank_image(shape.w, shape.h, shape.c);
  const std::size_t pixels = std::size_t{1} * shape.w * shape.h;
  for (int c = 0; c < shape.c; ++c) {
    for (std::size_t i = 0; i < pixels; ++i) {
      image.pixels[i * shape.c + c] = float_to_byte(chw[c * pixels + i]);
    }
  }
  return image;
}

std::vector<Image> images_from_floats(std::span<const float> x, Shape shape) {
  std::vector<Image> images;
  for (std::size_t i = 0; i < x.size(); i += shape.size()) {
    images.push_back(image_from_floats(x.subspan(i, shape.size()), shape));
  }
  return images;
}

Image centre_crop(const Image& image) { return centre_crop(image, 1, 1); }

Image centre_crop(const Image& image, int aspect_width, int aspect_height) {
  check_image(image);
  DDPM_CHECK(aspect_width >= 1 && aspect_height >= 1, "{}:{}", aspect_width, aspect_height);
  const std::int64_t wide = std::int64_t{image.height} * aspect_width / aspect_height;
  const std::int64_t high = std::int64_t{image.width} * aspect_height / aspect_width;
  const int width = static_cast<int>(std::clamp<std::int64_t>(wide, 1, image.width));
  const int height = static_cast<int>(std::clamp<std::int64_t>(high, 1, image.height));
  return crop(image, (image.width - width) / 2, (image.height - height) / 2, width, height);
}

Image with_channels(const Image& image, int channels) {
  check_image(image);
  if (channels == image.channels) return image;
  Image out = blank_image(image.width, image.height, channels);
  const bool flatten = channels % 2 == 1;  // no alpha in the result
  for (std::size_t i = 0; i < std::size_t{1} * image.width * image.height; ++i) {
    Rgba c = rgba_of(&image.pixels[i * image.channels], image.channels);
    if (flatten) {
      c = {over_white(c.r, c.a), over_white(c.g, c.a), over_white(c.b, c.a), 255};
    }
    store(c, &out.pixels[i * channels], channels);
  }
  return out;
}

int grid_columns(std::size_t n) {
  std::size_t columns = 1;
  while (columns * columns < n) ++columns;
  return static_cast<int>(columns);
}

Image image_grid(std::span<const Image> images, int columns, int gap, std::uint8_t background) {
  DDPM_CHECK(!images.empty() && columns >= 1 && gap >= 0, "{} images, {} columns, gap {}",
             images.size(), columns, gap);
  const int count = static_cast<int>(images.size());
  const Image& first = images.front();
  columns = std::min(columns, count);
  const int rows = (count + columns - 1) / columns;
  Image grid = blank_image(columns * (first.width + gap) + gap, rows * (first.height + gap) + gap,
                           first.channels, background);
  for (int i = 0; i < count; ++i) {
    const Image& image = images[i];
    check_image(image);
    DDPM_CHECK(image.width == first.width && image.height == first.height &&
                   image.channels == first.channels,
               "image {} has another shape than the first", i);
    const int left = gap + i % columns * (first.width + gap);
    const int top = gap + i / columns * (first.height + gap);
    const std::size_t row = std::size_t{1} * image.width * image.channels;
    for (int y = 0; y < image.height; ++y) {
      std::copy_n(&image.pixels[y * row], row, &grid.at(top + y, left, 0));
    }
  }
  return grid;
}

}  // namespace ddpm
