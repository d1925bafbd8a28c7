// How sure a network is of x0, guessed from what x0 looks like: it errs less where all is flat, or
// black or white, than at edges.
#pragma once

#include <cstdint>
#include <span>

#include "ddpm/base/shape.h"

namespace ddpm {

inline constexpr int kContexts = 16;

/// Of each element: how much it differs from its four neighbours in the plane, in eight classes
/// (0 the flattest), plus 8 where x0 is at most -0.99 or at least 0.99. x0, contexts: [C, H, W].
void contexts_of(std::span<const float> x0, Shape shape, std::span<std::uint8_t> contexts);

}  // namespace ddpm
