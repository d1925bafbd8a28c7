// The held-out images of an evaluation and what is drawn for them: the same for every run and every
// step.
#pragma once

#include <vector>

#include "ddpm/data/dataset.h"
#include "ddpm/diffusion/schedule.h"
#include "ddpm/train/batcher.h"

namespace ddpm {

/// Image i of `count` comes from a fixed shuffle; its time is the i-th of `count` equal parts of
/// 1..T, its place within the part and its noise by Philox with seed 0.
class HeldOutImages {
 public:
  /// count: at most data.size(). The references must outlive it.
  HeldOutImages(const Dataset& data, int count, const Schedule& schedule);

  /// Image i, until the next one; returns its label, or kNoLabel.
  int load(int i);

  int t() const { return t_; }                         // in 1..T
  std::span<const float> x0() const { return x0_; }    // [C, H, W]
  std::span<const float> eps() const { return eps_; }  // likewise

 private:
  const Dataset& data_;
  int count_, T_, t_ = 1;
  DataOrder order_;
  std::vector<std::uint8_t> bytes_;
  std::vector<float> x0_, eps_;
};

/// The time of evaluation image i of count.
int evaluation_time(int i, int count, int T);

}  // namespace ddpm
