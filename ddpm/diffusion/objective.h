// Training losses, each with its derivative by the network's output in closed form.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ddpm/diffusion/bound.h"

namespace ddpm {

/// simple: mean (target - out)^2, Eq. (14). kl: the term L_{t-1} of the bound, bits per dimension.
/// rescaled_kl: T times it, whose mean over uniform t is the bound. hybrid: simple + weight * T *
/// L_{t-1}, in which the mean stands still, so that the bound trains the variance alone (Nichol &
/// Dhariwal 2021, Eq. (16)); with a fixed variance it is simple. min_snr: the error of x0 weighed
/// by min(SNR, gamma) (Hang et al. 2023). p2: the error of eps weighed by 1 / (k + SNR)^gamma (Choi
/// et al. 2022). vdm: the bound of continuous time, T/2 (-d log SNR / dt) times the mean error of
/// eps, bits per dimension (Kingma et al. 2021, Eq. (15)).
enum class Loss { simple, kl, rescaled_kl, hybrid, min_snr, p2, vdm };

struct LossConfig {
  Loss kind = Loss::simple;
  double weight = 0.001;  // hybrid
  double min_snr_gamma = 5;
  double p2_gamma = 1, p2_k = 1;
  Decoder decoder = Decoder::exact;  // of the bound's t = 1

  bool operator==(const LossConfig&) const = default;
};

/// `simple`, `kl`, `rescaled_kl`, `hybrid,weight=0.001`, `min_snr,gamma=5`, `p2,gamma=1,k=1`,
/// `vdm`; those with a bound also `decoder=tanh`. Throws Error that lists what is known.
LossConfig parse_loss(const std::string& text);
/// Whether the loss has terms of the bound: those train a learned variance.
bool has_bound(Loss kind);

/// What parse_loss reads back.
std::string to_string(const LossConfig& config);

/// A loss, per image. Every loss is w_t mean (target - out)^2 + k L_{t-1}.
class Objective {
 public:
  /// Throws Error when the loss cannot train the variance (a learned one with a loss without the
  /// bound), when eps or score meet alpha_bar(T) == 0 in a bound, or for a number out of range.
  /// `optimal`: T variances of Variance::optimal. Keeps copies.
  Objective(const Schedule& schedule, Prediction prediction, Variance variance,
            const LossConfig& config, std::vector<double> optimal = {});

  /// What multiplies mean (target - out)^2 at t in 1..T.
  double weight(int t) const;

  /// The loss of one image at t in 1..T. x0, eps: n elements; out, d_out: n, or 2 n ([mean part,
  /// variance part]) when the variance is learned. d_out = the derivative of scale * loss. Sums run
  /// in double in index order; `simple` has the bits of simple_loss(). Real: float or double.
  template <class Real>
  double operator()(int t, std::span<const Real> x0, std::span<const Real> eps,
                    std::span<const Real> out, double scale, std::span<Real> d_out) const;

 private:
  ReverseModel model() const;

  Schedule schedule_;
  Prediction prediction_;
  Variance variance_;
  LossConfig config_;
  std::vector<double> optimal_;
  std::vector<double> weight_;  // w_t at t - 1
  double bound_weight_ = 0;     // k
  bool frozen_mean_ = false;    // the bound has no derivative by the mean part
};

/// Why a choice is known to train badly, or "": the paper's Table 2 and Sec. 3.2, Nichol & Dhariwal
/// 2021, Lin et al. 2023. A sentence for a person; names what to try. time_sampler: as
/// make_time_sampler() reads it.
std::string known_instability(const Schedule& schedule, Prediction prediction, Variance variance,
                              const LossConfig& loss, std::string_view time_sampler = "uniform");

}  // namespace ddpm
