// What a convolution adds to its products before it stores them: y = ((bias + products) + vector) +
// residual, each sum rounded in this order, as the separate rows would; then perhaps its ReLU.
#pragma once

#include "ddpm/engine/cpu/row.h"

namespace ddpm::cpu {

/// Addresses of one convolution's epilogue; null where there is nothing to add. The bias is the
/// row's own: padded, it starts the chain of products.
struct Epilogue {
  const float* bias = nullptr;
  const float* vector = nullptr;  // of image 0: one value a channel
  std::size_t vector_image = 0;   // floats from one image's vector to the next
  View residual;                  // same shape as y; data is null without one
  bool relu = false;
};

/// The epilogue that the passes gave to a conv or conv_dx row; its bias is the caller's to set.
inline Epilogue epilogue_of(const RowContext& c) {
  Epilogue e;
  std::size_t next = 1;  // input 0 is x (or dy)
  if (c.node.a.add_vector) {
    const View& v = c.in.at(next++);
    e.vector = v.data;
    e.vector_image = v.image_size();
  }
  if (c.node.a.add_residual) e.residual = c.in.at(next);
  e.relu = c.node.a.relu;
  return e;
}

}  // namespace ddpm::cpu
