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
constexpr std::size_t kSamples = 4000;  // of a context; more change nothing
constexpr double kPrior = 3;            // samples' worth of all contexts' mixture in each
constexpr int kRounds = 40;             // of expectation and maximisation
constexpr std::size_t kScales = kMixtureScales.size();

using Neighbours = std::array<std::int32_t, 4>;

struct Sample {
  std::uint8_t level;
  std::int32_t mean_q16;
};
using Samples = std::vector<Sample>;

using Weights = std::array<double, kScales>;
using Likelihoods = std::vector<Weights>;  // of each sample, by scale

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

Likelihoods likelihoods_of(const Samples& samples) {
  Likelihoods likelihoods;
  for (const Sample& sample : samples) {
    Weights& row = likelihoods.emplace_back();
    for (std::size_t k = 0; k < kScales; ++k) {
      const BinModel model(CdfTable::normal(), sample.mean_q16, kMixtureScales[k], 0, 255);
      row[k] = model.interval(sample.level).size / double{kWhole};
    }
  }
  return likelihoods;
}

// Expectation and maximisation: the likeliest weights, given as many samples more as `strength`
// that `prior` has drawn.
Weights fit_weights(const Likelihoods& samples, const Weights& prior, double strength) {
  Weights weights = prior;
  for (int round = 0; round < kRounds; ++round) {
    Weights next{};
    for (std::size_t k = 0; k < kScales; ++k) next[k] = strength * prior[k];
    for (const Weights& row : samples) {
      double all = 0;
      for (std::size_t k = 0; k < kScales; ++k) all += weights[k] * row[k];
      for (std::size_t k = 0; k < kScales; ++k) next[k] += weights[k] * row[k] / all;
    }
    for (double& weight : next) weight /= static_cast<double>(samples.size()) + strength;
    weights = next;
  }
  return weights;
}

// In 2^-15; the largest takes what rounding leaves.
void append_rounded(const Weights& weights, std::vector<std::uint16_t>& rounded) {
  constexpr int kAll = 1 << 15;
  int left = kAll;
  std::array<int, kScales> parts{};
  for (std::size_t k = 0; k < kScales; ++k) {
    parts[k] = static_cast<int>(std::rint(weights[k] * kAll));
    left -= parts[k];
  }
  *std::ranges::max_element(parts) += left;
  for (const int part : parts) rounded.push_back(static_cast<std::uint16_t>(part));
}

double bits_of(const Samples& samples, const NormalMixture& mixture) {
  double bits = 0;
  for (const Sample& sample : samples) {
    const MixtureModel model(mixture, sample.mean_q16, 0, 255);
    bits += kPrecision - std::numbers::log2e * exact::log(model.interval(sample.level).size);
  }
  return samples.empty() ? 0 : bits / static_cast<double>(samples.size());
}

// At most kSamples a context, evenly, and what share of all levels is in each.
struct Sorted {
  std::vector<Samples> contexts = std::vector<Samples>(kMixtureContexts);
  std::vector<double> shares = std::vector<double>(kMixtureContexts);
};
Sorted sort_levels(const Neighbours& neighbours, Shape shape, std::span<const Item> items,
                   std::span<const float> x0) {
  Sorted sorted;
  for_levels(
      neighbours, shape, items, x0, [&](const LevelPlaces& places, std::size_t i, int level) {
        const LevelPlace place = places.at(i);
        const int context = place.energy * kContexts + place.context;
        sorted.contexts[context].push_back({static_cast<std::uint8_t>(level), place.mean_q16});
        sorted.shares[context] += 1;
      });
  const double count = static_cast<double>(x0.size());
  for (int c = 0; c < kMixtureContexts; ++c) {
    Samples& samples = sorted.contexts[c];
    sorted.shares[c] /= count;
    if (samples.size() <= kSamples) continue;
    for (std::size_t k = 0; k < kSamples; ++k) samples[k] = samples[k * samples.size() / kSamples];
    samples.resize(kSamples);
  }
  return sorted;
}

// The mixture of all contexts, from some samples of each as they are shared out.
Weights fit_all(const std::vector<Likelihoods>& contexts, const std::vector<double>& shares) {
  constexpr double kAll = 20'000;
  Likelihoods some;
  for (std::size_t c = 0; c < contexts.size(); ++c) {
    const auto most = static_cast<std::size_t>(kAll * shares[c]);
    const std::size_t count = std::min(contexts[c].size(), most);
    for (std::size_t k = 0; k < count; ++k) some.push_back(contexts[c][k]);
  }
  Weights even;
  even.fill(1.0 / kScales);
  return fit_weights(some, even, 1);
}

}  // namespace

FittedDecoder fit_decoder(int time, Shape shape, std::span<const Item> items,
                          std::span<const float> x0) {
  DDPM_CHECK(!items.empty() && x0.size() == items.size() * shape.size());
  const Neighbours neighbours = fit_neighbours(shape, items, x0);
  const Sorted sorted = sort_levels(neighbours, shape, items, x0);
  std::vector<Likelihoods> likelihoods;
  for (const Samples& samples : sorted.contexts) likelihoods.push_back(likelihoods_of(samples));
  const Weights all = fit_all(likelihoods, sorted.shares);
  FittedDecoder fitted{.decoder = {.time = time, .neighbours = neighbours}, .bits = 0};
  std::vector<std::uint16_t>& weights = fitted.decoder.weights_q15;
  for (std::size_t c = 0; c < likelihoods.size(); ++c) {
    append_rounded(fit_weights(likelihoods[c], all, kPrior), weights);
    const auto row = std::span(weights).last(kScales);
    fitted.bits += sorted.shares[c] * bits_of(sorted.contexts[c], {kMixtureScales, row});
  }
  return fitted;
}

}  // namespace ddpm
