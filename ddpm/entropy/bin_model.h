// Normal and logistic distributions, and mixtures of normals, over bins of width 1 as integer
// intervals, made symbol by symbol from a mean and a scale in fixed point. Floating point never
// reaches an interval, so a decoder on another machine has the same ones.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "ddpm/entropy/cdf_table.h"
#include "ddpm/entropy/rans.h"

namespace ddpm {

/// Symbols first..last, symbol k for the bin [k - 1/2, k + 1/2); the two outermost are open (the
/// paper's Eq. (13)). Every interval is at least 1 wide, and they add up to kWhole.
class BinModel {
 public:
  /// mean_q16 = 2^16 mean, |mean| < 2^40; scale_q16 = 2^16 scale, 1 <= scale_q16 < 2^31 (scale:
  /// CdfTable's). At most 65536 symbols, |first| and |last| below 2^40.
  BinModel(const CdfTable& cdf, std::int64_t mean_q16, std::uint32_t scale_q16, std::int64_t first,
           std::int64_t last);

  Interval interval(std::int64_t symbol) const {
    const std::uint32_t start = below(symbol);
    return {start, below(symbol + 1) - start};
  }

  /// The symbol whose interval holds `slot`, which is below kWhole.
  std::int64_t find(std::uint32_t slot) const;

  std::int64_t first() const { return first_; }
  std::int64_t last() const { return last_; }

 private:
  // What lies below symbol's bin: one for each symbol, and the distribution's share of the rest.
  std::uint32_t below(std::int64_t symbol) const;

  const CdfTable& cdf_;
  std::int64_t mean_q16_, first_, last_;
  std::int64_t reach_q16_;   // beyond that distance from the mean the CDF is 0 or 1
  std::int64_t reciprocal_;  // 2^48 / scale_q16
};

/// Normals of one mean, weighed and added.
struct NormalMixture {
  std::span<const std::uint32_t> scales_q16;   // at most 16
  std::span<const std::uint16_t> weights_q15;  // as many, 2^15 in all
};

/// The bins of BinModel under a mixture of normals. The scales and weights must outlive it.
class MixtureModel {
 public:
  /// As BinModel's constructor; at most 256 symbols.
  MixtureModel(const NormalMixture& mixture, std::int64_t mean_q16, std::int64_t first,
               std::int64_t last);

  Interval interval(std::int64_t symbol) const {
    const std::uint32_t start = below(symbol);
    return {start, below(symbol + 1) - start};
  }

  /// The symbol whose interval holds `slot`, which is below kWhole.
  std::int64_t find(std::uint32_t slot) const;

 private:
  std::uint32_t below(std::int64_t symbol) const;

  struct Part {
    std::int64_t reciprocal;  // 2^48 / scale_q16
    std::int64_t reach_q16;
    std::uint64_t weight_q15;
  };
  std::array<Part, 16> parts_;
  std::size_t count_ = 0;
  std::int64_t mean_q16_, first_, last_;
};

/// Whole numbers, unbounded: a window of the mean and 12 scales to either side, in which symbols
/// cost what the distribution says, and beyond it an escape and the distance in 2 log2 bits.
/// `scale_q16` below 2^16 * 2048.
class WindowModel {
 public:
  WindowModel(const CdfTable& cdf, std::int64_t mean_q16, std::uint32_t scale_q16);

  /// |value - mean| < 2^31, or whatever pop() gave.
  void push(Rans& rans, std::int64_t value) const;
  std::int64_t pop(Rans& rans) const;

 private:
  BinModel bins_;  // its first and last symbols are the escapes
};

}  // namespace ddpm
