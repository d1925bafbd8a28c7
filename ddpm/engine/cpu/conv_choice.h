// Which algorithm computes a convolution, by its shape alone: never by the machine, the number of
// threads or the batch, so that the bits are the same everywhere.
#pragma once

#include "ddpm/engine/cpu/row.h"

namespace ddpm::cpu {

enum class ConvAlgorithm { direct, winograd };

/// For a forward pass or a data gradient. `in`, `out`: of the convolution.
ConvAlgorithm product_algorithm(const Attributes& a, const Shape& in, const Shape& out,
                                Profile profile);

/// For a weight gradient.
ConvAlgorithm weight_gradient_algorithm(const Attributes& a, const Shape& in, const Shape& out,
                                        Profile profile);

}  // namespace ddpm::cpu
