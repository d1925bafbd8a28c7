// Lossless coding of many items in one stack by bits-back (Townsend et al. 2019) in the order of
// Bit-Swap (Kingma et al. 2019): for t = 1..K, x_t is popped as a sample of q(x_t | x_{t-1}), then
// x_{t-1} is pushed as p(x_{t-1} | x_t) says; x_K last. What the samples cost comes back, so that
// an item costs its bound. docs/format.md, "Chains".
#pragma once

#include <functional>

#include "ddpm/codec/predictor.h"
#include "ddpm/diffusion/respacing.h"
#include "ddpm/entropy/bin_model.h"

namespace ddpm {

/// How finely a chain samples. Its times are those of the model's tables, one of `every`; a bin of
/// x_k is `bin` standard deviations of q(x_k | x_{k-1}) wide, or of q(x_{k+1} | x_k) where that is
/// narrower.
struct ChainGrid {
  int every = 1;
  double bin = 0.5;
};

class Chain {
 public:
  /// `predictor` must outlive it; `progress` is called after every network call.
  Chain(Predictor& predictor, const ChainGrid& grid, std::function<void()> progress = {});

  /// levels: one item, [C, H, W]. One network call a time. Where `rans` is a seed that has too few
  /// bits, it is fed, or push() stops there and says false: then `rans` is of no use.
  bool push(std::span<const std::uint8_t> levels, Rans& rans, bool may_be_fed = true);
  /// The inverse: `rans` is afterwards what it was before push(). corrupt: no push() made that
  /// stack.
  Result<void> pop(Rans& rans, std::span<std::uint8_t> levels);

  int calls() const { return static_cast<int>(process_.times.size()); }

 private:
  struct Level {                   // of x_k, k = 1..K
    double width;                  // of a bin: x_k is a whole number of them
    double q_factor;               // mean of q(x_k | x_{k-1}) in bins, by x_{k-1}
    std::uint32_t q_scale;         // its standard deviation
    std::int64_t q_window;         // and how far its bins go
    Posterior posterior;           // of x_{k-1}
    ContextErrors sigma;           // of p(x_{k-1} | x_k), by context
    double offset = 0, slope = 0;  // or log variance by the network's channel
  };
  struct Normal {  // in bins, 2^16 times
    std::int64_t mean_q16;
    std::uint32_t scale_q16;
  };
  using Values = std::vector<std::int64_t>;  // bins

  static WindowModel window(const Normal& normal);
  void ask(int k, const Values& bins);
  Normal p(int k, std::size_t i) const;
  BinModel q(int k, double below) const;
  double value(int k, std::int64_t bins) const {
    return static_cast<double>(bins) * levels_[k].width;
  }
  /// What x_0 or x_{k-1} is, by element.
  double below(int k, std::size_t i, std::span<const std::uint8_t> levels,
               const Values& bins) const;

  Predictor& predictor_;
  std::function<void()> progress_;
  Respaced process_;
  std::vector<Level> levels_;  // [K + 1], [0] unused
  bool learned_;
  std::vector<float> x_, x0_, v_;
  std::vector<std::uint8_t> contexts_;
};

}  // namespace ddpm
