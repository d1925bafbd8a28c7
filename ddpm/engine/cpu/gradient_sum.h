// Adds the gradients of slices by a fixed binary tree, whoever computed them and in whatever
// groups.
#pragma once

#include <memory>
#include <vector>

#include "ddpm/base/thread_pool.h"
#include "ddpm/net/params.h"

namespace ddpm::cpu {

/// A binary counter: after slice k, equal-sized partial sums are merged, older one first, so that
/// at most log2(slices) + 1 of them exist. finish() merges what is left from the newest back. The
/// tree depends on the number of slices alone.
class GradientSum {
 public:
  GradientSum(const std::vector<ParamSpec>& specs, ThreadPool& pool) : specs_(specs), pool_(pool) {}

  /// A tensor set to write a slice's gradient into; give it back through add() in the order of the
  /// slices.
  std::unique_ptr<Params> take();
  void add(std::unique_ptr<Params> gradient);

  /// The sum of all that was added, and a fresh start. Null when nothing was added.
  std::unique_ptr<Params> finish();
  void give_back(std::unique_ptr<Params> params) { free_.push_back(std::move(params)); }

  /// The sum so far, without a fresh start.
  Params peek() const;

 private:
  struct Partial {
    int slices;
    std::unique_ptr<Params> sum;
  };

  void merge_newest();  // the last two partial sums into the older one

  std::vector<ParamSpec> specs_;
  ThreadPool& pool_;
  std::vector<Partial> partials_;
  std::vector<std::unique_ptr<Params>> free_;
};

}  // namespace ddpm::cpu
