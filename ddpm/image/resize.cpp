#include "ddpm/image/resize.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "ddpm/base/error.h"
#include "ddpm/base/exact.h"

// After Pillow 9.4's src/libImaging/Resample.c; the order of the double operations there decides
// the last bit here.
namespace ddpm {
namespace {

// 8 bits of pixel, 22 of weight and 2 to spare: the lobes of Lanczos overshoot both ends.
constexpr int kPrecisionBits = 32 - 8 - 2;

double sinc(double x) {
  if (x == 0) return 1;
  constexpr double kPi = 3.14159265358979323846;
  x *= kPi;
  return exact::sin(x) / x;
}

double bicubic(double x) {
  constexpr double a = -0.5;
  x = std::abs(x);
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  if (x < 2) return (((x - 5) * x + 8) * x - 4) * a;
  return 0;
}

double weight(Filter filter, double x) {
  switch (filter) {
    case Filter::box:
      return x > -0.5 && x <= 0.5 ? 1 : 0;
    case Filter::bilinear:
      return std::max(1 - std::abs(x), 0.0);
    case Filter::bicubic:
      return bicubic(x);
    case Filter::lanczos:
      return x >= -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0;
  }
  return 0;
}

double support(Filter filter) {
  switch (filter) {
    case Filter::box:
      return 0.5;
    case Filter::bilinear:
      return 1;
    case Filter::bicubic:
      return 2;
    case Filter::lanczos:
      return 3;
  }
  return 0;
}

std::int32_t to_fixed(double value) {
  const double scaled = value * (1 << kPrecisionBits);
  return static_cast<std::int32_t>(value < 0 ? scaled - 0.5 : scaled + 0.5);
}

std::uint8_t from_fixed(std::int32_t sum) {
  return static_cast<std::uint8_t>(std::clamp(sum >> kPrecisionBits, 0, 255));
}

// Which inputs make one output, and how much of each.
struct Window {
  int first;
  std::vector<std::int32_t> weights;
};

std::vector<Window> windows(int in, int out, Filter filter) {
  const double scale = static_cast<double>(in) / out;
  const double filter_scale = std::max(scale, 1.0);  // antialiased when shrinking
  const double reach = support(filter) * filter_scale;
  const double step = 1 / filter_scale;
  std::vector<Window> all;
  std::vector<double> exact_weights;
  for (int i = 0; i < out; ++i) {
    const double centre = (i + 0.5) * scale;
    const int first = std::max(static_cast<int>(centre - reach + 0.5), 0);
    const int end = std::min(static_cast<int>(centre + reach + 0.5), in);
    exact_weights.clear();
    double sum = 0;
    for (int k = 0; k < end - first; ++k) {
      exact_weights.push_back(weight(filter, (k + first - centre + 0.5) * step));
      sum += exact_weights.back();
    }
    Window& window = all.emplace_back(Window{first, {}});
    for (const double w : exact_weights) window.weights.push_back(to_fixed(sum != 0 ? w / sum : w));
  }
  return all;
}

// out = sum of weights[k] * in[k * stride], rounded.
std::uint8_t apply(const Window& window, const std::uint8_t* in, std::size_t stride) {
  std::int32_t sum = 1 << (kPrecisionBits - 1);
  for (const std::int32_t w : window.weights) {
    sum += *in * w;
    in += stride;
  }
  return from_fixed(sum);
}

Image resize_width(const Image& image, int width, Filter filter) {
  Image out = blank_image(width, image.height, image.channels);
  const auto all = windows(image.width, width, filter);
  std::uint8_t* to = out.pixels.data();
  for (int y = 0; y < image.height; ++y) {
    const std::uint8_t* row = &image.pixels[std::size_t{1} * y * image.width * image.channels];
    for (const Window& window : all) {
      for (int c = 0; c < image.channels; ++c) {
        *to++ =
            apply(window, row + std::size_t{1} * window.first * image.channels + c, image.channels);
      }
    }
  }
  return out;
}

Image resize_height(const Image& image, int height, Filter filter) {
  Image out = blank_image(image.width, height, image.channels);
  const std::size_t row = std::size_t{1} * image.width * image.channels;
  std::uint8_t* to = out.pixels.data();
  for (const Window& window : windows(image.height, height, filter)) {
    for (std::size_t x = 0; x < row; ++x) {
      *to++ = apply(window, &image.pixels[window.first * row + x], row);
    }
  }
  return out;
}

// Pillow resizes colours multiplied by their alpha, so that what is transparent does not bleed.
void multiply_alpha(Image& image) {
  const int colours = image.channels - 1;
  for (std::size_t i = 0; i < image.pixels.size(); i += image.channels) {
    const int alpha = image.pixels[i + colours];
    for (int c = 0; c < colours; ++c) {
      const int product = image.pixels[i + c] * alpha + 128;
      image.pixels[i + c] = static_cast<std::uint8_t>((product + (product >> 8)) >> 8);
    }
  }
}

void divide_alpha(Image& image) {
  const int colours = image.channels - 1;
  for (std::size_t i = 0; i < image.pixels.size(); i += image.channels) {
    const int alpha = image.pixels[i + colours];
    if (alpha == 0) continue;
    for (int c = 0; c < colours; ++c) {
      image.pixels[i + c] =
          static_cast<std::uint8_t>(std::min(255 * image.pixels[i + c] / alpha, 255));
    }
  }
}

}  // namespace

Image resize(const Image& image, int width, int height, Filter filter) {
  check_image(image);
  if (width < 1 || height < 1) {
    throw Error("[image] resize: got {} x {}, expected sides of at least 1", width, height);
  }
  if (width == image.width && height == image.height) return image;
  const bool alpha = image.channels % 2 == 0;
  Image out = image;
  if (alpha) multiply_alpha(out);
  if (width != image.width) out = resize_width(out, width, filter);
  if (height != image.height) out = resize_height(out, height, filter);
  if (alpha) divide_alpha(out);
  return out;
}

}  // namespace ddpm
