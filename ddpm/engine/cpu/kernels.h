// The vector kernels of the CPU engine, one table an instruction set. Every kernel gives the same
// bits on each of them: vectors run across outputs, an output is one fma chain in increasing k, and
// sums across lanes use a fixed tree.
//
// Activations are [image][pixel][channel] with channels padded to a multiple of 16; what lies in
// the padding is zero.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "ddpm/base/philox.h"
#include "ddpm/engine/cpu/winograd.h"

namespace ddpm::cpu {

inline constexpr int kLanes = 16;  // channels are padded to this; partial sums have this many lanes

inline int padded(int channels) { return (channels + kLanes - 1) / kLanes * kLanes; }

/// y[p, 0 .. columns) = alpha * (bias + sum over taps, then channels, of x[p + tap, c] * w[tap][c])
/// for the pixels [begin, end), counted through all images: a convolution seen as a matrix product
/// whose rows are found by a table. Then, where given: + vector of the image, + residual.
struct PanelProduct {
  const float* x;
  std::size_t x_image;  // floats from one image to the next
  const std::int32_t*
      taps;  // [pixels an image][n_taps]: offset in the image, or -1 for a row of zeros
  int pixels, n_taps, channels;
  const float* zeros;  // at least `channels` of them
  const float* w;      // [n_taps][channels][vectors * vector width]
  const float* bias;   // [vectors * vector width], or null for 0
  float alpha;
  float* y;  // of pixel 0; pixel p at y + p * y_stride
  std::size_t y_stride;
  int vectors;                    // 1 or 2: the panel's width in vectors
  int columns;                    // of the panel that are stored
  const float* vector = nullptr;  // of image 0, or null; columns a multiple of the vector width
  std::size_t vector_image = 0;
  const float* residual = nullptr;  // of pixel 0, or null; likewise
  std::size_t residual_stride = 0;
  bool relu = false;                     // max(y, 0) at last; likewise
  const std::int32_t* places = nullptr;  // [pixels]: of each in the image of y; null: 0, 1, 2, ...
  int image_pixels = 0;                  // of y, with places
  int begin, end;
};

/// dw[r][0 .. vectors * width) += sum over the pixels of a[p + tap, r] * b[p] for r in [0, rows):
/// one fma chain in the order of the pixels, continued from what dw holds. rows <= kOuterRows.
struct OuterProduct {
  const float* a;            // of image 0, first row
  std::size_t a_image;       // floats from one image to the next
  const std::int32_t* taps;  // [pixels]: offset in the image, or -1 for zeros
  const float* b;            // of image 0; pixel p at b + p * b_stride
  std::size_t b_image, b_stride;
  int pixels, images;
  float* dw;
  std::size_t dw_stride;
  int rows, vectors;
};
inline constexpr int kOuterRows = 8;

/// y[p][c] = fma(x[p][c] - shift[c], gain[c], bias[c]), then its SiLU when asked for, over one
/// image's channels [0, width). Strides are floats from one pixel to the next.
struct Affine {
  const float* x;
  std::size_t x_stride;
  const float* shift;
  const float* gain;
  const float* bias;
  float* y;
  std::size_t y_stride;
  int pixels, width;
  bool silu;
};

/// What group norm's gradient sums over the pixels of one image: d is dy, or, with a SiLU after the
/// affine function, the derivative by what went into it, which is stored. sums[c] of d,
/// products[c] of d * (x - shift[c]).
struct AffineSums {
  const float* x;
  std::size_t x_stride;
  const float* dy;
  std::size_t dy_stride;
  const float* shift;
  const float* gain;  // gain, bias and d only with a SiLU
  const float* bias;
  float* d;
  std::size_t d_stride;
  double* sums;
  double* products;
  int pixels, width;
  bool silu;
};

/// dx = fma(d, p[c], fma(x - shift[c], q[c], r[c])), + residual when there is one. d may be dx.
struct AffineDx {
  const float* x;
  std::size_t x_stride;
  const float* d;
  std::size_t d_stride;
  const float* shift;
  const float* p;
  const float* q;
  const float* r;
  const float* residual;
  std::size_t residual_stride;
  float* dx;
  std::size_t dx_stride;
  int pixels, width;
};

/// One output pixel of a pool: what of its window lies in the image, n >= 1 pixels.
struct Window {
  const float* const* pixels;
  int n;
  float divisor;  // of the mean
  float* y;
  int width;  // a multiple of 16
};

inline constexpr std::size_t kPhiloxSlack = 8;

struct Adam {
  float* w;
  float* m;
  float* v;
  float* ema;
  const float* g;
  std::size_t n;
  float clip, beta1, beta2, rate, root_correction, epsilon, ema_decay;
};

struct Kernels {
  const char* name;
  int vector;  // floats in a vector; a full panel is two of them

  void (*panel_product)(const PanelProduct&);
  void (*outer_product)(const OuterProduct&);

  void (*transform_input)(const TileTransform&);  // B^T d B
  void (*transform_input_columns)(const TileColumns&);
  void (*transform_gradient_columns)(const TileColumns&);  // of A dy A^T
  void (*transform_weight)(const WeightTransform&);
  void (*transform_output)(const TileOutput&);
  void (*transform_weight_gradient)(const WeightGradient&);
  void (*tile_product)(const TileProduct&);
  void (*tile_outer)(const TileOuter&);

  // Element-wise over n floats, n a multiple of 16.
  void (*silu)(const float* x, float* y, std::size_t n);
  void (*silu_dx)(const float* x, const float* dy, float* dx, std::size_t n);
  void (*relu)(const float* x, float* y, std::size_t n);
  void (*add)(const float* a, const float* b, float* y, std::size_t n);
  void (*scale)(const float* x, float alpha, float* y, std::size_t n);

  // y[p][c] = x[p][c] + v[c], c in [0, width), width a multiple of 16.
  void (*add_row)(const float* x, std::size_t x_stride, const float* v, float* y,
                  std::size_t y_stride, int pixels, int width);
  void (*max_window)(const Window&);
  void (*mean_window)(const Window&);
  void (*affine)(const Affine&);
  void (*affine_sums)(const AffineSums&);
  void (*affine_dx)(const AffineDx&);

  // Sums over pixels in float blocks of 32 pixels, added in double: sums[c] over [0, width) of
  // `stride`.
  void (*sum)(const float* x, double* sums, int pixels, int width, int stride);
  // sums[c] of (x - shift[c])^2.
  void (*sum_squares)(const float* x, const float* shift, double* sums, int pixels, int width,
                      int stride);

  // Over rows of n floats (n any); scratch has room for n rounded up to 16.
  void (*softmax)(const float* x, float* y, int n, float* scratch);
  void (*softmax_dx)(const float* p, const float* dp, float* dx, int n);

  // Words of blocks of a Philox stream, four a block, in order. `words` has room for kPhiloxSlack
  // blocks more.
  void (*philox)(const PhiloxInput& first, std::size_t blocks, std::uint32_t* words);
  // y[i] = words[i] >= threshold ? x[i] * gain : 0, over n floats (n any).
  void (*dropout)(const std::uint32_t* words, std::uint32_t threshold, float gain, const float* x,
                  float* y, int n);

  void (*adam)(const Adam&);
  // Sum of squares of n floats (n any) in double: chunks of 16 lanes, a fixed tree.
  double (*norm2)(const float* x, std::size_t n);
};

/// The table in use: the best this CPU has, or what set_isa() chose.
const Kernels& kernels();

/// "scalar", "avx2", "avx512", "neon", or "" for the best. False when unknown or not available
/// here.
bool set_isa(std::string_view name);

}  // namespace ddpm::cpu
