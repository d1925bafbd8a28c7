// At which times to ask the network: dynamic programming over what each jump costs.
#include <algorithm>
#include <cmath>
#include <numbers>

#include "ddpm/base/error.h"
#include "ddpm/base/exact.h"
#include "ddpm/codec/hadamard.h"
#include "ddpm/codec/tables.h"
#include "ddpm/diffusion/spacing.h"

namespace ddpm {
namespace {

constexpr double kHalfLog2E = std::numbers::log2e / 2;
constexpr double kNever = 1e30;
// What a transmitter spends above the KL divergence (docs/compression.md).
constexpr double kTransmitter = 1.25;
// Below so many bits per element, what is lost counts as if so many were sent.
constexpr double kFewBits = 0.03;

// Errors and shares of every time, interpolated.
class Costs {
 public:
  Costs(const Schedule& schedule, const Measured& measured) : schedule_(schedule) {
    CodecTables tables;
    tables.times = measured.times;
    tables.errors = measured.errors;
    for (int t = 1; t <= schedule.T(); ++t) {
      errors_.push_back(tables.errors_at(schedule, t));
      const auto next = std::ranges::lower_bound(measured.times, t) - measured.times.begin();
      const auto last = std::ssize(measured.times) - 1;
      shares_.push_back(
          measured.shares[static_cast<std::size_t>(std::min<std::ptrdiff_t>(next, last))]);
    }
  }

  // Bits per element of a jump from t to s >= 1: the KL divergence of normals with the best
  // variances, 1/2 log2(1 + e (SNR(s) - SNR(t))) (Bao et al. 2022).
  double jump(int s, int t) const {
    const double step = schedule_.snr(s) - schedule_.snr(t);
    double bits = 0;
    for (int c = 0; c < kContexts; ++c) {
      const double share = shares_[t - 1][c];
      if (share > 0) bits += share * exact::log1p(step * errors_[t - 1][c]);
    }
    return bits * kHalfLog2E;
  }

 private:
  const Schedule& schedule_;
  std::vector<ContextErrors> errors_, shares_;  // [T]
};

// All jumps to s >= 1.
JumpCosts jumps_of(const Costs& costs, int T) {
  JumpCosts table(T);
  for (int t = 1; t <= T; ++t) {
    for (int s = 1; s < t; ++s) table.at(s, t) = costs.jump(s, t);
  }
  return table;
}

JumpCosts absolute_costs(const JumpCosts& jumps, const Measured& measured, double factor) {
  const int T = jumps.T();
  JumpCosts table(T);
  for (int t = 1; t <= T; ++t) {
    for (int s = 1; s < t; ++s) table.at(s, t) = factor * jumps.at(s, t);
    table.at(0, t) = kNever;
  }
  for (std::size_t i = 0; i < measured.decoders.size(); ++i) {
    table.at(0, measured.times[i]) = measured.decoder_bits[i];
  }
  return table;
}

constexpr int kMostSteps = 4000;  // a table of jumps has their square

// What a jump costs more than the single steps that it merges, over the bits sent when it ends.
JumpCosts relative_costs(const JumpCosts& jumps) {
  const int T = jumps.T();
  std::vector<double> sent(T + 1);  // [t]: from T down to t
  for (int t = T - 1; t >= 1; --t) sent[t] = sent[t + 1] + jumps.at(t, t + 1);
  JumpCosts table(T);
  for (int t = 1; t <= T; ++t) {
    for (int s = 1; s < t; ++s) {
      const double excess = jumps.at(s, t) - (sent[s] - sent[t]);
      table.at(s, t) = std::max(excess, 0.0) / (sent[s] + kFewBits);
    }
    table.at(0, t) = t == 1 ? 0 : kNever;
  }
  return table;
}

double bits_of(const JumpCosts& jumps, const std::vector<int>& times) {
  double bits = 0;
  for (std::size_t i = 0; i + 1 < times.size(); ++i) bits += jumps.at(times[i + 1], times[i]);
  return bits;
}

}  // namespace

int expected_calls(const std::vector<int>& times, double bits, std::size_t elements) {
  if (bits == 0) return static_cast<int>(times.size());
  const double paid = kTransmitter * bits * static_cast<double>(elements) /
                      hadamard_bits(Codebook::large, elements, 1);
  return static_cast<int>(std::min(static_cast<double>(times.size()), std::ceil(paid) + 1));
}

CodecTables plan_tables(const Schedule& schedule, const Measured& measured, const Calls& calls) {
  DDPM_CHECK(!measured.times.empty() && measured.times.front() == 1 && !measured.decoders.empty());
  const int T = schedule.T();
  if (T > kMostSteps || schedule.alpha_bar(T) == 0) {
    throw Error(ExitCode::bad_input,
                "[codec] tables: got a model of T = {} and alpha_bar(T) = {}, expected T <= {} and "
                "alpha_bar(T) > 0",
                T, schedule.alpha_bar(T), kMostSteps);
  }
  const JumpCosts jumps = jumps_of(Costs(schedule, measured), T);
  CodecTables tables;
  tables.times = measured.times;
  tables.errors = measured.errors;
  tables.progressive = optimal_times(relative_costs(jumps), std::min(calls.progressive, T));
  tables.lossless =
      optimal_times(absolute_costs(jumps, measured, kTransmitter), std::min(calls.lossless, T));
  tables.chain = optimal_times(absolute_costs(jumps, measured, 1), std::min(calls.chain, T));
  tables.progressive_bits = bits_of(jumps, tables.progressive);
  tables.lossless_bits = bits_of(jumps, tables.lossless);
  for (const LevelDecoder& decoder : measured.decoders) {
    for (const auto* times : {&tables.progressive, &tables.lossless, &tables.chain}) {
      if (decoder.time != times->back()) continue;
      tables.decoders.push_back(decoder);
      break;
    }
  }
  return tables;
}

void fill_walks(CodecTables& tables, std::size_t elements) {
  for (auto [times, bits] : {std::pair{&tables.progressive, tables.progressive_bits},
                             std::pair{&tables.lossless, tables.lossless_bits}}) {
    std::vector<int> all;
    for (int t = times->front(); t >= times->back(); --t) all.push_back(t);
    if (expected_calls(all, bits, elements) <= std::ssize(*times)) *times = std::move(all);
  }
}

double predicted_bits(const Schedule& schedule, const Measured& measured,
                      const std::vector<int>& times) {
  const Costs costs(schedule, measured);
  double bits = 0;
  for (std::size_t i = 0; i + 1 < times.size(); ++i) bits += costs.jump(times[i + 1], times[i]);
  const auto end = std::ranges::find(measured.times, times.back()) - measured.times.begin();
  return bits + measured.decoder_bits.at(static_cast<std::size_t>(end));
}

CodecTables nominal_tables(const Schedule& schedule) {
  constexpr double kVariance = 0.25, kLeastScale = 0.4;
  Measured measured;
  for (int t = 1; t <= schedule.T(); t += 1 + t / 8) measured.times.push_back(t);
  for (const int t : measured.times) {
    const double error = kVariance / (1 + kVariance * schedule.snr(t));
    measured.errors.emplace_back().fill(error);
    measured.shares.emplace_back()[0] = 1;
    const double scale = std::max(127.5 * std::sqrt(error), kLeastScale);
    LevelDecoder decoder{.time = t};
    std::ranges::fill(decoder.scale_q16, static_cast<std::uint32_t>(std::rint(scale * 65536)));
    measured.decoders.push_back(decoder);
    // log2(sigma sqrt(2 pi e)), the entropy of a normal.
    measured.decoder_bits.push_back(2 * kHalfLog2E * exact::log(scale * 4.1327313541224929));
  }
  CodecTables tables =
      plan_tables(schedule, measured, {.progressive = 100, .lossless = 100, .chain = 250});
  tables.format = 1;
  tables.progressive_bits = tables.lossless_bits = 0;  // a guess
  return tables;
}

}  // namespace ddpm
