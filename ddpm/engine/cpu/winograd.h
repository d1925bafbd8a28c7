// Winograd convolution F(4x4, 3x3) (Lavin & Gray 2015, arXiv:1509.09308): a tile of 4 x 4 outputs
// takes 36 products a channel where the direct form takes 144. Every transform is element-wise in a
// fixed order and every product one fma chain, so the bits do not depend on the machine, on threads
// or on the batch.
//
//   forward          y  = A^T [ (G w G^T) . (B^T d B) ] A,   summed over channels
//   data gradient    the same with the weights turned by 180 degrees, in and out exchanged
//   weight gradient  dw = G^T [ (B^T d B) . (A dy A^T) ] G,  summed over tiles
#pragma once

#include <cstddef>
#include <cstdint>

namespace ddpm::cpu {

inline constexpr int kTile = 4;         // outputs a side
inline constexpr int kTileInput = 6;    // inputs a side
inline constexpr int kComponents = 36;  // products a tile and channel
/// Floats between components that keep those of a tile out of one set of the first-level cache.
inline constexpr std::size_t kSkew = 16;

/// Where the transforms of tiles lie: component k, tile t, channel c at
/// c / block * block_stride + k * component_stride + t * tile_stride + c % block. Strides in
/// floats.
struct TileLayout {
  std::size_t component_stride, tile_stride, block_stride;
  int block;  // channels that lie together, a multiple of kLanes
};

/// Transforms the tiles [begin, end), counted through all images, of an activation.
struct TileTransform {
  const float* x;
  std::size_t x_image, x_pixel;  // floats from one image, one pixel to the next
  const std::int32_t* pixels;    // [tiles an image][side^2] pixel in the image, or -1 for zeros
  int tiles;                     // an image
  int channels;                  // a multiple of kLanes
  const float* zeros;            // at least `channels` of them
  int begin, end;
  float* v;  // tile `begin` lies at 0
  TileLayout layout;
};

/// Some columns of the transform of each tile alone: its components 6 * column .. 6 * (column +
/// columns) - 1 in the order [column][row], which lie in v as if there were no others.
struct TileColumns {
  TileTransform tiles;
  int column, columns;  // kWideColumns from a multiple of it on, or 1
};
inline constexpr int kWideColumns = 3;

/// m[k][t][column] = (add: m +) sum over channels of v[k][t][c] * u[k][c][column].
struct TileProduct {
  const float* v;  // [component][tile][channel] by the strides
  std::size_t v_component, v_tile;
  const float* u;  // [component][channel][vectors * vector width]
  std::size_t u_component;
  int channels, tiles, vectors;
  float* m;  // [component][tile rounded up to kTileRows][vectors * vector width]
  std::size_t m_component;
  bool add;
  const float* next = nullptr;  // what is read after this product: fetched meanwhile
  std::size_t next_floats = 0;
};
inline constexpr int kTileRows = 24;  // a multiple of every kernel's block of rows

/// y = A^T m A + bias, + vector[image], + residual, in this order, for the outputs inside the
/// image.
struct TileOutput {
  const float* m;  // tile `begin` first
  std::size_t m_component, m_tile;
  const std::int32_t* pixels;  // [tiles an image][16] pixel in the image, or -1 when outside
  int tiles;                   // an image
  int begin, end;
  int columns;          // a multiple of the vector width
  const float* bias;    // [columns]
  const float* vector;  // of image 0, or null
  std::size_t vector_image;
  const float* residual;  // of image 0, or null
  std::size_t residual_image, residual_pixel;
  bool relu = false;  // max(y, 0) at last
  float* y;
  std::size_t y_image, y_pixel;
};

/// u[k][c][column] from w[c][vector][tap][lane], in this order, for `channels` channels; columns =
/// vectors * vector width.
struct WeightTransform {
  const float* w;
  int channels, vectors;
  float* u;
  std::size_t u_component;
};

/// acc[k][row][column] = sum over tiles of v[k][t][row] * d[k][t][column]: one fma chain an entry,
/// in the order of the tiles. With `add` it goes on from what acc holds. rows: a multiple of
/// kOuterRows.
struct TileOuter {
  int components;
  const float* v;
  std::size_t v_component, v_tile;
  const float* d;
  std::size_t d_component, d_tile;
  int tiles, rows, vectors;
  float* acc;
  std::size_t acc_component, acc_row;
  bool add;
};

/// dw[row][tap][column] = G^T acc G; acc's components in the order [column][row].
struct WeightGradient {
  const float* acc;
  std::size_t acc_component, acc_row;
  int rows, vectors;
  float* dw;  // [row][9][vectors * vector width]
};

}  // namespace ddpm::cpu
