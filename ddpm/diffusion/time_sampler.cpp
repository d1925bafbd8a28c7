#include "ddpm/diffusion/time_sampler.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <deque>
#include <string_view>
#include <utility>

#include "ddpm/base/error.h"
#include "ddpm/base/exact.h"
#include "ddpm/base/philox.h"
#include "ddpm/diffusion/spec.h"

namespace ddpm {
namespace {

constexpr double kTwoPi = 6.283185307179586;

NoiseKey key_of(std::uint64_t seed, std::uint64_t position) {
  return {.seed = seed, .purpose = Purpose::train_time, .image = position};
}

class Uniform : public TimeSampler {
 public:
  explicit Uniform(int T) : T_(T) {}

  TimeDraw draw(std::uint64_t seed, std::uint64_t position, int) const override {
    return {static_cast<int>(1 + uniform_below(key_of(seed, position), T_)), 1};
  }

 private:
  int T_;
};

class Antithetic : public TimeSampler {
 public:
  explicit Antithetic(int T) : T_(T) {}

  TimeDraw draw(std::uint64_t seed, std::uint64_t position, int batch) const override {
    DDPM_CHECK(batch >= 1, "{}", batch);
    const std::uint64_t place = position % batch;
    const double u = uniform(key_of(seed, position - place));  // one for the batch
    const double at = (static_cast<double>(place) + u) / batch;
    return {1 + std::min(static_cast<int>(T_ * at), T_ - 1), 1};
  }

 private:
  int T_;
};

class LossSecondMoment : public TimeSampler {
 public:
  LossSecondMoment(int T, int history, double uniform)
      : history_(history), uniform_(uniform), losses_(T), p_(probabilities()) {}

  TimeDraw draw(std::uint64_t seed, std::uint64_t position, int) const override {
    const double u = uniform(key_of(seed, position));
    double sum = 0;
    std::size_t i = 0;
    while (i + 1 < p_.size() && u >= (sum += p_[i])) ++i;
    return {static_cast<int>(i) + 1, 1 / (static_cast<double>(p_.size()) * p_[i])};
  }

  void observe(std::span<const int> times, std::span<const double> losses) override {
    DDPM_CHECK(times.size() == losses.size(), "{}, {}", times.size(), losses.size());
    for (std::size_t i = 0; i < times.size(); ++i) {
      DDPM_CHECK(1 <= times[i] && static_cast<std::size_t>(times[i]) <= losses_.size(), "t = {}",
                 times[i]);
      std::deque<double>& of_t = losses_[times[i] - 1];
      if (of_t.size() == static_cast<std::size_t>(history_)) of_t.pop_front();
      of_t.push_back(losses[i]);
    }
    p_ = probabilities();
  }

  // For each t: how many losses, then `history` numbers, oldest first.
  std::vector<double> state() const override {
    std::vector<double> numbers;
    for (const auto& of_t : losses_) {
      numbers.push_back(static_cast<double>(of_t.size()));
      numbers.insert(numbers.end(), of_t.begin(), of_t.end());
      numbers.insert(numbers.end(), history_ - of_t.size(), 0.0);
    }
    return numbers;
  }

  void restore(std::span<const double> numbers) override {
    const std::size_t row = static_cast<std::size_t>(history_) + 1;
    bool good = numbers.size() == row * losses_.size();
    for (std::size_t i = 0; good && i < numbers.size(); ++i) {
      const double x = numbers[i];
      good = std::isfinite(x) && (i % row != 0 || (x >= 0 && x <= history_ && x == std::floor(x)));
    }
    if (!good) {
      throw Error(
          ExitCode::bad_input,
          "[diffusion] time sampler: got a state of {} numbers, expected {} times a count and "
          "{} losses; try the config that the checkpoint was made with",
          numbers.size(), losses_.size(), history_);
    }
    for (std::size_t t = 0; t < losses_.size(); ++t) {
      const auto of_t = numbers.subspan(t * row, row);
      losses_[t].assign(of_t.begin() + 1, of_t.begin() + 1 + static_cast<std::ptrdiff_t>(of_t[0]));
    }
    p_ = probabilities();
  }

 private:
  bool warm() const {
    return std::ranges::all_of(
        losses_, [&](const auto& of_t) { return of_t.size() == std::size_t(history_); });
  }

  std::vector<double> probabilities() const {
    const double T = static_cast<double>(losses_.size());
    std::vector<double> p(losses_.size(), 1 / T);
    if (!warm()) return p;
    double sum = 0;
    for (std::size_t t = 0; t < p.size(); ++t) {
      double squares = 0;
      for (const double loss : losses_[t]) squares += loss * loss;
      p[t] = std::sqrt(squares / history_);
      sum += p[t];
    }
    if (!(sum > 0 && std::isfinite(sum))) return std::vector<double>(p.size(), 1 / T);
    for (double& value : p) value = value / sum * (1 - uniform_) + uniform_ / T;
    return p;
  }

  int history_;
  double uniform_;
  std::vector<std::deque<double>> losses_;  // the last ones of each t, at most history_
  std::vector<double> p_;                   // probabilities()
};

class LogNormal : public TimeSampler {
 public:
  LogNormal(const Schedule& schedule, double mean, double deviation)
      : mean_(mean), deviation_(deviation) {
    for (int t = 1; t <= schedule.T() && schedule.alpha_bar(t) > 0; ++t) {
      log_sigma_.push_back(-exact::log(schedule.snr(t)) / 2);
    }
    if (log_sigma_.empty()) log_sigma_.push_back(0);  // one step to pure noise
  }

  TimeDraw draw(std::uint64_t seed, std::uint64_t position, int) const override {
    const NoiseKey key = key_of(seed, position);
    const double radius = std::sqrt(-2 * exact::log(1 - uniform(key, 0)));
    const double want = mean_ + deviation_ * radius * exact::cos(kTwoPi * uniform(key, 1));
    const auto above = std::ranges::lower_bound(log_sigma_, want);
    if (above == log_sigma_.begin()) return {1, 1};
    const bool up = above != log_sigma_.end() && *above - want < want - *(above - 1);
    return {static_cast<int>(above - log_sigma_.begin()) + (up ? 1 : 0), 1};
  }

 private:
  double mean_, deviation_;
  std::vector<double> log_sigma_;  // at t - 1, increasing
};

std::unique_ptr<TimeSampler> parse_second_moment(const Spec& spec, int T) {
  constexpr std::string_view kKeys[] = {"history", "uniform"};
  spec.check_keys(kKeys);
  const double history = spec.number("history").value_or(10);
  const double uniform = spec.number("uniform").value_or(0.001);
  if (!(history >= 1 && history <= 1000 && history == std::floor(history) && uniform > 0 &&
        uniform <= 1)) {
    throw Error(
        "[diffusion] time sampler: got history = {}, uniform = {}, expected a whole number in "
        "1..1000 "
        "and a share in (0, 1]; try loss_second_moment",
        history, uniform);
  }
  return std::make_unique<LossSecondMoment>(T, static_cast<int>(history), uniform);
}

std::unique_ptr<TimeSampler> parse_log_normal(const Spec& spec, const Schedule& schedule) {
  constexpr std::string_view kKeys[] = {"mean", "std"};
  spec.check_keys(kKeys);
  const double deviation = spec.number("std").value_or(1.2);
  if (!(deviation > 0)) {
    throw Error("[diffusion] time sampler: got std = {}, expected a positive number; try 1.2",
                deviation);
  }
  return std::make_unique<LogNormal>(schedule, spec.number("mean").value_or(-1.2), deviation);
}

}  // namespace

void TimeSampler::observe(std::span<const int>, std::span<const double>) {}

std::vector<double> TimeSampler::state() const { return {}; }

void TimeSampler::restore(std::span<const double> state) {
  if (state.empty()) return;
  throw Error(
      ExitCode::bad_input,
      "[diffusion] time sampler: got a state of {} numbers, expected none; try the config that "
      "the checkpoint was made with",
      state.size());
}

std::unique_ptr<TimeSampler> make_time_sampler(const std::string& text, const Schedule& schedule) {
  constexpr std::string_view kNames[] = {"uniform", "antithetic", "loss_second_moment",
                                         "log_normal"};
  const Spec spec("time sampler", text);
  const std::size_t kind = spec.choose_name(kNames);
  if (spec.count() || (kind < 2 && text != kNames[kind])) {
    throw Error("[diffusion] time sampler: got '{}', expected {}{}; try {}", text, kNames[kind],
                kind < 2 ? " alone" : " and its keys, no number", kNames[kind]);
  }
  if (kind == 2) return parse_second_moment(spec, schedule.T());
  if (kind == 3) return parse_log_normal(spec, schedule);
  if (kind == 0) return std::make_unique<Uniform>(schedule.T());
  return std::make_unique<Antithetic>(schedule.T());
}

}  // namespace ddpm
