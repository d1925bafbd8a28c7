// A fixed distribution of few symbols as integers, with what makes coding it fast: reciprocals
// instead of divisions, and an index into the cumulative sums.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "ddpm/entropy/rans.h"

namespace ddpm {

/// Sizes of intervals in proportion to the weights, each at least 1, that add up to kWhole. 1 to
/// 65536 weights, not all 0, their sum below 2^39.
std::vector<std::uint32_t> interval_sizes(std::span<const std::uint64_t> weights);

/// Symbols 0..n-1 with interval sizes that add up to kWhole.
class SymbolTable {
 public:
  explicit SymbolTable(std::span<const std::uint32_t> sizes);

  int symbols() const { return static_cast<int>(steps_.size()); }
  Interval interval(int symbol) const { return intervals_[symbol]; }

  /// rans.push(interval(symbol)), without a division.
  void push(Rans& rans, int symbol) const {
    const Step& step = steps_[symbol];
    if (rans.state_ >= step.limit) rans.spill();
    const std::uint64_t quotient = high_product(rans.state_, step.reciprocal) >> step.shift;
    rans.state_ += step.bias + quotient * step.rest;
  }

  int pop(Rans& rans) const {
    const std::uint32_t slot = rans.peek();
    int symbol = first_[slot >> kIndexShift];
    while (slot - intervals_[symbol].start >= intervals_[symbol].size) ++symbol;
    rans.pop(intervals_[symbol]);
    return symbol;
  }

 private:
  static constexpr int kIndexShift = kPrecision - 12;

  // state / size = (state * reciprocal) >> 64 >> shift, exact for state < 2^63 (Alverson 1991);
  // then the new state, quotient * 2^24 + state mod size + start, is state + bias + quotient *
  // rest.
  struct Step {
    std::uint64_t limit, reciprocal;
    std::uint32_t bias, rest;
    int shift;
  };
  static Step step_of(Interval symbol);

  static std::uint64_t high_product(std::uint64_t a, std::uint64_t b) {
    return static_cast<std::uint64_t>(static_cast<unsigned __int128>(a) * b >> 64);
  }

  std::vector<Step> steps_;
  std::vector<Interval> intervals_;
  std::vector<std::uint16_t> first_;  // the symbol at the start of each 2^-12
};

}  // namespace ddpm
