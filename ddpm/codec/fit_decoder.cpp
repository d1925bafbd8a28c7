#include <algorithm>
#include <cmath>
#include <numbers>

#include "ddpm/base/error.h"
#include "ddpm/base/exact.h"
#include "ddpm/codec/calibrate.h"
#include "ddpm/entropy/bin_model.h"

namespace ddpm {
namespace {

constexpr double kRidge = 1e-3;         // of the diagonal: neighbours may always be right
constexpr std::size_t kSamples = 1000;  // of a context; more change nothing
constexpr double kLeastWidth = 0.1, kMostWidth = 64, kWidthStep = 1.15;  // levels

using Neighbours = std::array<std::int32_t, 4>;

struct Sample {
  std::uint8_t level;
  std::int32_t mean_q16;
};
using Samples = std::vector<Sample>;

// The best scale of a context's samples.
struct ContextFit {
  std::uint32_t scale_q16 = 1 << 16;
  double bits = 0;  // a sample
};

template <class Visit>
void for_levels(const Neighbours& neighbours, Shape shape, std::span<const Item> items,
                std::span<const float> x0, Visit visit) {
  const std::size_t n = shape.size();
  for (std::size_t k = 0; k < items.size(); ++k) {
    const LevelPlaces places(neighbours, x0.subspan(k * n, n), shape, items[k]);
    for (std::size_t i = 0; i < n; ++i) visit(places, i, items[k][i]);
  }
}

// Gauss-Jordan on a positive definite matrix.
std::array<double, 4> solve(std::array<std::array<double, 5>, 4> rows) {
  for (int k = 0; k < 4; ++k) {
    const double pivot = rows[k][k];
    for (double& value : rows[k]) value /= pivot;
    for (int r = 0; r < 4; ++r) {
      if (r == k) continue;
      const double factor = rows[r][k];
      for (int c = 0; c < 5; ++c) rows[r][c] -= factor * rows[k][c];
    }
  }
  return {rows[0][4], rows[1][4], rows[2][4], rows[3][4]};
}

// The least squares' share of the errors at the four neighbours.
Neighbours fit_neighbours(Shape shape, std::span<const Item> items, std::span<const float> x0) {
  std::array<std::array<double, 5>, 4> sums{};
  for_levels({}, shape, items, x0, [&](const LevelPlaces& places, std::size_t i, int level) {
    const auto errors = places.errors(i);
    const double mine = level - places.mean_q16(i) / 65536.0;
    for (int r = 0; r < 4; ++r) {
      const double error = errors[r] / 65536.0;
      for (int c = 0; c < 4; ++c) sums[r][c] += error * (errors[c] / 65536.0);
      sums[r][4] += error * mine;
    }
  });
  for (int k = 0; k < 4; ++k) sums[k][k] += kRidge * sums[k][k] + 1;
  const std::array<double, 4> shares = solve(sums);
  Neighbours neighbours{};
  for (int k = 0; k < 4; ++k) {
    neighbours[k] = static_cast<std::int32_t>(std::rint(std::clamp(shares[k], -1.0, 1.0) * 65536));
  }
  return neighbours;
}

double bits_of(const Samples& samples, const CdfTable& cdf, std::uint32_t scale_q16) {
  double bits = 0;
  for (const Sample& sample : samples) {
    const BinModel model(cdf, sample.mean_q16, scale_q16, 0, 255);
    bits += kPrecision - std::numbers::log2e * exact::log(model.interval(sample.level).size);
  }
  return bits / static_cast<double>(samples.size());
}

ContextFit fit_scale(const Samples& samples, const CdfTable& cdf) {
  ContextFit best{.bits = 1e30};
  for (double scale = kLeastWidth; scale < kMostWidth; scale *= kWidthStep) {
    const auto scale_q16 = static_cast<std::uint32_t>(std::rint(scale * 65536));
    const double bits = bits_of(samples, cdf, scale_q16);
    if (bits < best.bits) best = {scale_q16, bits};
  }
  return best;
}

// At most kSamples a context, evenly, and what share of all levels is in each.
struct Sorted {
  std::vector<Samples> contexts = std::vector<Samples>(kLevelContexts);
  std::vector<double> shares = std::vector<double>(kLevelContexts);
};
Sorted sort_levels(const Neighbours& neighbours, Shape shape, std::span<const Item> items,
                   std::span<const float> x0) {
  Sorted sorted;
  for_levels(neighbours, shape, items, x0,
             [&](const LevelPlaces& places, std::size_t i, int level) {
               const LevelPlace place = places.at(i);
               sorted.contexts[place.context].push_back(
                   {static_cast<std::uint8_t>(level), place.mean_q16});
               sorted.shares[place.context] += 1;
             });
  const double count = static_cast<double>(x0.size());
  for (int c = 0; c < kLevelContexts; ++c) {
    Samples& samples = sorted.contexts[c];
    sorted.shares[c] /= count;
    if (samples.size() <= kSamples) continue;
    for (std::size_t k = 0; k < kSamples; ++k) samples[k] = samples[k * samples.size() / kSamples];
    samples.resize(kSamples);
  }
  return sorted;
}

FittedDecoder fit_shape(const Sorted& sorted, bool logistic) {
  constexpr std::size_t kFew = 30;
  const CdfTable& cdf = logistic ? CdfTable::logistic() : CdfTable::normal();
  FittedDecoder fitted{.decoder = {.logistic = logistic}, .bits = 0};
  std::uint32_t before = 1 << 16;  // a context that is hardly seen is like the one with less energy
  for (int c = 0; c < kLevelContexts; ++c) {
    const Samples& samples = sorted.contexts[c];
    if (c >= 8) before = fitted.decoder.scale_q16[c - 8];
    ContextFit fit{before, 0};
    if (samples.size() >= kFew) {
      fit = fit_scale(samples, cdf);
    } else if (!samples.empty()) {
      fit.bits = bits_of(samples, cdf, before);
    }
    fitted.decoder.scale_q16[c] = fit.scale_q16;
    fitted.bits += sorted.shares[c] * fit.bits;
  }
  return fitted;
}

}  // namespace

FittedDecoder fit_decoder(int time, Shape shape, std::span<const Item> items,
                          std::span<const float> x0) {
  DDPM_CHECK(!items.empty() && x0.size() == items.size() * shape.size());
  const Neighbours neighbours = fit_neighbours(shape, items, x0);
  const Sorted sorted = sort_levels(neighbours, shape, items, x0);
  const FittedDecoder normal = fit_shape(sorted, false), logistic = fit_shape(sorted, true);
  FittedDecoder best = normal.bits <= logistic.bits ? normal : logistic;
  best.decoder.time = time;
  best.decoder.neighbours = neighbours;
  return best;
}

}  // namespace ddpm
