#include "ddpm/engine/cpu/conv_tables.h"

#include <algorithm>
#include <numeric>

namespace ddpm::cpu {
namespace {

// Calls fill(input row, input column) for each tap of each output pixel, in order.
template <class Fill>
void for_each_tap(const Attributes& a, const Shape& out, const Fill& fill) {
  for (int y = 0; y < out.h; ++y) {
    for (int x = 0; x < out.w; ++x) {
      for (int kh = 0; kh < a.kernel; ++kh) {
        for (int kw = 0; kw < a.width(); ++kw) {
          fill(y * a.stride + kh - a.pad_before, x * a.stride + kw - a.pad_left());
        }
      }
    }
  }
}

bool inside(int y, int x, const Shape& s) { return y >= 0 && y < s.h && x >= 0 && x < s.w; }

// [input pixel][kernel^2] into the output's gradient.
Taps backward_taps(const Attributes& a, const Shape& in, const Shape& out, int stride) {
  const int n_taps = a.taps();
  Taps taps(static_cast<std::size_t>(in.pixels()) * n_taps, -1);
  std::int32_t i = 0;  // counts through taps of output pixels
  for_each_tap(a, out, [&](int y, int x) {
    const int pixel = i / n_taps, tap = i % n_taps;
    ++i;
    if (inside(y, x, in)) {
      taps[static_cast<std::size_t>(y * in.w + x) * n_taps + tap] = pixel * stride;
    }
  });
  return taps;
}

// The taps that reach some of the group's places, and their offsets from `all` [pixel][n_taps].
void keep_taps(PixelGroup& group, const Taps& all, int n_taps) {
  const auto offset = [&](std::int32_t place, int tap) {
    return all[static_cast<std::size_t>(place) * n_taps + tap];
  };
  for (int tap = 0; tap < n_taps; ++tap) {
    const auto reached = [&](std::int32_t place) { return offset(place, tap) >= 0; };
    if (std::ranges::any_of(group.places, reached)) group.taps.push_back(tap);
  }
  for (const std::int32_t place : group.places) {
    for (const int tap : group.taps) group.offsets.push_back(offset(place, tap));
  }
}

}  // namespace

Taps forward_taps(const Attributes& a, const Shape& in, const Shape& out, int stride) {
  Taps taps;
  taps.reserve(static_cast<std::size_t>(out.pixels()) * a.taps());
  for_each_tap(a, out, [&](int y, int x) {
    taps.push_back(inside(y, x, in) ? (y * in.w + x) * stride : -1);
  });
  return taps;
}

std::vector<PixelGroup> forward_groups(const Attributes& a, const Shape& in, const Shape& out,
                                       int stride) {
  PixelGroup all{.pixels = out.pixels(), .offsets = forward_taps(a, in, out, stride)};
  all.taps.resize(a.taps());
  std::iota(all.taps.begin(), all.taps.end(), 0);
  return {std::move(all)};
}

std::vector<PixelGroup> backward_groups(const Attributes& a, const Shape& in, const Shape& out,
                                        int stride) {
  const Taps taps = backward_taps(a, in, out, stride);
  std::vector<PixelGroup> groups;
  int first_tap = 0;
  for (int phase = 0; phase < a.stride * a.stride; ++phase) {
    PixelGroup group{.first_tap = first_tap};
    for (int y = phase / a.stride; y < in.h; y += a.stride) {
      for (int x = phase % a.stride; x < in.w; x += a.stride) group.places.push_back(y * in.w + x);
    }
    group.pixels = static_cast<int>(group.places.size());
    keep_taps(group, taps, a.taps());
    first_tap += static_cast<int>(group.taps.size());
    if (a.stride == 1) group.places.clear();
    groups.push_back(std::move(group));
  }
  return groups;
}

Taps transposed(const Taps& taps, int columns) {
  const std::size_t rows = taps.size() / columns;
  Taps result(taps.size());
  for (std::size_t r = 0; r < rows; ++r) {
    for (int c = 0; c < columns; ++c) result[c * rows + r] = taps[r * columns + c];
  }
  return result;
}

Panels::Panels(int columns)
    : width(2 * kernels().vector),
      padded_columns_((columns + kernels().vector - 1) / kernels().vector * kernels().vector) {
  count = (padded_columns_ + width - 1) / width;
}

int Panels::floats(int panel) const { return std::min(width, padded_columns_ - begin(panel)); }
int Panels::vectors(int panel) const { return floats(panel) / kernels().vector; }

}  // namespace ddpm::cpu
