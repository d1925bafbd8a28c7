#include "ddpm/codec/chain.h"

#include <algorithm>
#include <cmath>

#include "ddpm/base/error.h"
#include "ddpm/base/exact.h"
#include "ddpm/codec/context.h"
#include "ddpm/diffusion/variance.h"
#include "ddpm/image/image.h"

namespace ddpm {
namespace {

constexpr double kWindow = 12;          // standard deviations of q to each side of its mean
constexpr double kMostWindow = 30'000;  // bins
constexpr double kMostX = 100;
constexpr double kMostBins = 2000, kMostMean = 1e9;  // bins; WindowModel's limits

std::uint32_t scale_q16(double bins) {
  return static_cast<std::uint32_t>(std::rint(std::clamp(bins, 0x1p-16, kMostBins) * 65536));
}

std::int64_t mean_q16(double bins) {
  return static_cast<std::int64_t>(std::rint(std::clamp(bins, -kMostMean, kMostMean) * 65536));
}

// The chain's times, increasing: one of `every`, and the last.
std::vector<int> times_of(const std::vector<int>& decreasing, int every) {
  std::vector<int> times;
  for (std::size_t i = decreasing.size(); i-- > 0;) {
    if ((decreasing.size() - 1 - i) % every == 0 || i == 0) times.push_back(decreasing[i]);
  }
  return times;
}

}  // namespace

WindowModel Chain::window(const Normal& normal) {
  return {CdfTable::normal(), normal.mean_q16, normal.scale_q16};
}

Chain::Chain(Predictor& predictor, const ChainGrid& grid, std::function<void()> progress)
    : predictor_(predictor),
      progress_(std::move(progress)),
      process_(respace(predictor.model().schedule,
                       times_of(predictor.model().tables.chain, grid.every))),
      learned_(predictor.model().tables.learned_variance &&
               is_learned(predictor.model().view.variance)) {
  const CodecModel& model = predictor.model();
  levels_.resize(process_.times.size() + 1);
  for (int k = 1; k <= calls(); ++k) {
    Level& level = levels_[k];
    const Schedule& s = process_.schedule;
    level.width = grid.bin * std::sqrt(std::min(s.beta(k), s.beta(std::min(k + 1, calls()))));
    const double sigma = std::sqrt(s.beta(k)) / level.width;
    level.q_scale = scale_q16(sigma);
    level.q_window = static_cast<std::int64_t>(std::min(std::ceil(kWindow * sigma), kMostWindow));
    level.q_factor = std::sqrt(s.alpha(k)) / level.width;
    level.posterior = s.posterior(k);
    const ContextErrors errors = model.tables.errors_at(model.schedule, process_.times[k - 1]);
    for (int c = 0; c < kContexts; ++c) {  // s*^2 (Bao et al. 2022)
      level.sigma[c] = std::sqrt(level.posterior.variance +
                                 level.posterior.c_x0 * level.posterior.c_x0 * errors[c]);
    }
    if (!learned_) continue;
    const LogVariance v = log_variance_of(s, k, model.view.variance);
    level.offset = v.offset;
    level.slope = v.slope;
  }
  const std::size_t n = model.shape.size();
  x_.resize(n);
  x0_.resize(n);
  contexts_.resize(n);
  if (learned_) v_.resize(n);
}

// x_k from its bins, and what the network says of it. Only a corrupt stack holds an |x| beyond
// kMostX; a network that it overflows would say nothing.
void Chain::ask(int k, const Values& bins) {
  for (std::size_t i = 0; i < x_.size(); ++i) {
    x_[i] = static_cast<float>(std::clamp(value(k, bins[i]), -kMostX, kMostX));
  }
  predictor_.x0(process_.times[k - 1], x_, x0_, v_);
  if (progress_) progress_();
  if (!learned_) contexts_of(x0_, predictor_.model().shape, contexts_);
}

// p(x_{k-1} | x_k) after ask(k), k > 1.
Chain::Normal Chain::p(int k, std::size_t i) const {
  const Level& level = levels_[k];
  const double mean = level.posterior.c_x0 * x0_[i] + level.posterior.c_xt * x_[i];
  const double sigma =
      learned_ ? exact::exp((level.offset + level.slope * v_[i]) / 2) : level.sigma[contexts_[i]];
  const double width = levels_[k - 1].width;
  return {mean_q16(mean / width), scale_q16(sigma / width)};
}

// q(x_k | x_{k-1} = below). Its window has no escape: a sample that is popped never lies far off.
BinModel Chain::q(int k, double below) const {
  const std::int64_t mean = mean_q16(levels_[k].q_factor * below);
  const Level& level = levels_[k];
  return {CdfTable::normal(), mean, level.q_scale, (mean >> 16) - level.q_window,
          (mean >> 16) + level.q_window + 1};
}

double Chain::below(int k, std::size_t i, std::span<const std::uint8_t> levels,
                    const Values& bins) const {
  return k == 1 ? byte_to_float(levels[i]) : value(k - 1, bins[i]);
}

bool Chain::push(std::span<const std::uint8_t> levels, Rans& rans, bool may_be_fed) {
  const CodecModel& model = predictor_.model();
  const std::size_t n = x_.size();
  DDPM_CHECK(levels.size() == n);
  const std::uint32_t fed = rans.fed_words();
  Values before, bins(n);
  for (int k = 1; k <= calls(); ++k) {
    for (std::size_t i = 0; i < n; ++i) {
      const BinModel model_q = q(k, below(k, i, levels, before));
      bins[i] = model_q.find(rans.peek());
      rans.pop(model_q.interval(bins[i]));
    }
    if (!may_be_fed && rans.fed_words() > fed) return false;
    ask(k, bins);
    if (k == 1) {
      push_levels(model.tables.decoder_of(process_.times[0]), x0_, model.shape, levels, rans);
    } else {
      for (std::size_t i = n; i-- > 0;) window(p(k, i)).push(rans, before[i]);
    }
    before = bins;
  }
  const Normal prior{0, scale_q16(1 / levels_[calls()].width)};
  for (std::size_t i = n; i-- > 0;) window(prior).push(rans, before[i]);
  return true;
}

Result<void> Chain::pop(Rans& rans, std::span<std::uint8_t> levels) {
  const CodecModel& model = predictor_.model();
  const std::size_t n = x_.size();
  DDPM_CHECK(levels.size() == n);
  Values bins(n), before(n);
  const Normal prior{0, scale_q16(1 / levels_[calls()].width)};
  for (std::size_t i = 0; i < n; ++i) bins[i] = window(prior).pop(rans);
  for (int k = calls(); k >= 1; --k) {
    ask(k, bins);
    if (k == 1) {
      pop_levels(model.tables.decoder_of(process_.times[0]), x0_, model.shape, rans, levels);
    } else {
      for (std::size_t i = 0; i < n; ++i) before[i] = window(p(k, i)).pop(rans);
    }
    for (std::size_t i = n; i-- > 0;) {
      const BinModel model_q = q(k, below(k, i, levels, before));
      if (bins[i] < model_q.first() || bins[i] > model_q.last()) {
        return fail(FailureCode::corrupt, "[codec] chain: got x_{} that follows from no x_{}", k,
                    k - 1);
      }
      rans.push(model_q.interval(bins[i]));
    }
    bins.swap(before);
  }
  return {};
}

}  // namespace ddpm
