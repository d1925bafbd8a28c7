// A model as the bound sees it: a forward process of K steps, and p made from the network's output.
#pragma once

#include <span>
#include <vector>

#include "ddpm/diffusion/bound.h"
#include "ddpm/diffusion/plan.h"

namespace ddpm {

/// All T steps of a schedule, or the process re-spaced to some of its times. A re-spaced process
/// has betas and posteriors of its own, and with them its variances: fixed ones, the ends of a
/// learned range (as in improved-diffusion) and optimal ones, from the measurements at its times. A
/// `learned` log-variance is taken as it is. An output that means `mu`, the mean of one step of the
/// whole process, is read as the x0 it implies.
class BoundProcess {
 public:
  /// `times`: increasing, in 1..T (respace()); empty for all. Throws Error for other times, and for
  /// Variance::optimal without its measurements.
  BoundProcess(const Schedule& whole, const ModelView& view, Decoder decoder,
               std::vector<int> times = {});

  int steps() const { return static_cast<int>(times_.size()); }
  /// The whole process's time of step k in 1..steps(): what the network is asked about.
  int time(int k) const { return times_.at(k - 1); }
  /// The step at the whole process's time t, 0 when it is left out.
  int step_at(int t) const { return step_at_.at(t); }
  const Schedule& schedule() const { return schedule_; }

  /// L_T, bits per dimension.
  double prior(std::span<const float> x0) const;

  /// L_{k-1} of one image: x0 and eps n elements, out the network's at time(k).
  BoundTerm term(int k, std::span<const float> x0, std::span<const float> eps,
                 std::span<const float> out) const;

 private:
  ReverseModel reverse() const;
  std::vector<float> x0_of_mean(int k, std::span<const float> x0, std::span<const float> eps,
                                std::span<const float> out) const;

  Schedule whole_, schedule_;
  ModelView view_;
  Decoder decoder_;
  std::vector<int> times_, step_at_;
  std::vector<double> optimal_;
  bool reads_x0_of_mean_ = false;
};

}  // namespace ddpm
