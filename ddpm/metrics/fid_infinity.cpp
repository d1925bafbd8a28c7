#include "ddpm/metrics/fid_infinity.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "ddpm/base/error.h"
#include "ddpm/base/philox.h"
#include "ddpm/metrics/fid.h"

namespace ddpm {
namespace {

// The first `size` numbers of a shuffle of 0..n-1.
std::vector<int> random_subset(int n, int size, std::uint64_t seed, std::uint32_t step) {
  std::vector<int> all(n);
  std::iota(all.begin(), all.end(), 0);
  const NoiseKey key{.seed = seed, .purpose = Purpose::score_subset, .step = step};
  for (int i = 0; i < size; ++i) {
    const auto j = uniform_below(key, static_cast<std::uint64_t>(n - i), i);
    std::swap(all[i], all[i + static_cast<int>(j)]);
  }
  all.resize(size);
  return all;
}

// Least squares through (1 / size, distance); the error is that of the scatter about the line.
// Gives how much of each distance is in the value: these weights add to 1, and over size to 0.
std::vector<double> fit_line(FrechetAtInfinity& f) {
  const auto n = static_cast<double>(f.sizes.size());
  double mean_x = 0, mean_y = 0, xx = 0, xy = 0, residual = 0;
  for (std::size_t i = 0; i < f.sizes.size(); ++i) {
    mean_x += 1.0 / f.sizes[i] / n;
    mean_y += f.distances[i] / n;
  }
  for (std::size_t i = 0; i < f.sizes.size(); ++i) {
    const double x = 1.0 / f.sizes[i] - mean_x;
    xx += x * x;
    xy += x * (f.distances[i] - mean_y);
  }
  f.slope = xy / xx;
  f.value = mean_y - f.slope * mean_x;
  std::vector<double> weights;
  for (std::size_t i = 0; i < f.sizes.size(); ++i) {
    const double r = f.distances[i] - f.value - f.slope / f.sizes[i];
    residual += r * r;
    weights.push_back(1 / n - mean_x * (1.0 / f.sizes[i] - mean_x) / xx);
  }
  f.standard_error = std::sqrt(residual / (n - 2) * (1 / n + mean_x * mean_x / xx));
  return weights;
}

// How often an image counts in the value, by the subsets that it was drawn into: sum of squares
// over the images, 1 / N if each counted once.
double spread(const FrechetAtInfinity& f, const std::vector<double>& weights,
              const std::vector<std::vector<int>>& subsets, int n) {
  std::vector<double> counts(n);
  for (std::size_t p = 0; p < subsets.size(); ++p) {
    for (const int i : subsets[p]) counts[i] += weights[p] / f.sizes[p];
  }
  return std::inner_product(counts.begin(), counts.end(), counts.begin(), 0.0);
}

}  // namespace

FrechetAtInfinity frechet_at_infinity(const Features& generated, const Statistics& reference,
                                      std::uint64_t seed, ThreadPool& pool,
                                      const std::optional<InfluenceVariance>& influences) {
  constexpr int kPoints = 15;
  const int n = generated.rows(), smallest = std::min(5000, n / 10);
  if (n < kMinAtInfinity) {
    throw Error(ExitCode::bad_input,
                "[metrics] fid_infinity: got {} images, expected at least {}: N is too small", n,
                kMinAtInfinity);
  }
  const std::vector<int> order = generated.canonical_order();
  const Factor of_reference = factor(reference.covariance, "fid", pool);
  FrechetAtInfinity out;
  std::vector<std::vector<int>> subsets;
  for (int p = 0; p < kPoints; ++p) {
    const int size =
        smallest + static_cast<int>(std::int64_t{1} * (n - smallest) * p / (kPoints - 1));
    auto rows = random_subset(n, size, seed, static_cast<std::uint32_t>(p));
    for (int& row : rows) row = order[row];
    const Statistics part = statistics(generated.select(rows), pool);
    out.sizes.push_back(size);
    out.distances.push_back(frechet_distance(part, reference, of_reference, pool).value());
    subsets.push_back(std::move(rows));
  }
  const std::vector<double> weights = fit_line(out);
  if (influences) {
    const double of_reference_set =
        reference.count > 0 ? influences->b / static_cast<double>(reference.count) : 0;
    out.standard_error =
        std::sqrt(influences->a * spread(out, weights, subsets, n) + of_reference_set);
  }
  return out;
}

}  // namespace ddpm
