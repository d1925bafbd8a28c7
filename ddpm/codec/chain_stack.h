// The items of a chained group on one stack: the first ones, on a seed that has few bits, by grids
// that need few.
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "ddpm/codec/chain.h"

namespace ddpm {

class ChainStack {
 public:
  /// `predictor` must outlive it; `progress` is called after every network call.
  explicit ChainStack(Predictor& predictor, const std::function<void()>& progress = {});

  /// By the finest grid that the stack has bits for, or else by the last one, fed.
  void push(std::span<const std::uint8_t> levels, Rans& rans);
  /// The inverse. corrupt: no push() made that stack.
  Result<void> pop(Rans& rans, std::span<std::uint8_t> levels);

 private:
  std::vector<Chain> chains_;  // finest first
};

}  // namespace ddpm
