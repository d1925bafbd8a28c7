#include "ddpm/metrics/kid.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "ddpm/base/error.h"
#include "ddpm/metrics/kid_kernel.h"
#include "ddpm/metrics/numpy_random.h"

namespace ddpm {
namespace {

// Of the first-order term of the estimate, an image: 4 times the variance over a set of its mean
// kernel with its own set less that with the other.
double first_order(const std::vector<double>& own, const std::vector<double>& other,
                   double others) {
  const auto n = static_cast<double>(own.size());
  double mean = 0, squares = 0;
  const auto influence = [&](std::size_t i) { return own[i] / (n - 1) - other[i] / others; };
  for (std::size_t i = 0; i < own.size(); ++i) mean += influence(i) / n;
  for (std::size_t i = 0; i < own.size(); ++i) squares += std::pow(influence(i) - mean, 2);
  return 4 * squares / (n - 1);
}

// The estimate from one subset of each set, and the variances an image that it shows.
struct Discrepancy {
  double value = 0, x_variance = 0, y_variance = 0;
};

Discrepancy discrepancy(const KernelSums& xx, const KernelSums& yy, const KernelSums& xy) {
  const auto n = static_cast<double>(xx.rows.size()), m = static_cast<double>(yy.rows.size());
  return {xx.all / (n * (n - 1)) + yy.all / (m * (m - 1)) - 2 * xy.all / (n * m),
          first_order(xx.rows, xy.rows, m), first_order(yy.rows, xy.columns, n)};
}

template <class T>
Discrepancy discrepancy(const KernelRows<T>& x, const KernelRows<T>& y, ThreadPool& pool) {
  return discrepancy(kernel_sums(x, x, pool), kernel_sums(y, y, pool), kernel_sums(x, y, pool));
}

// Means over the subsets, of values and variances.
void finish(Kid& kid, const std::vector<Discrepancy>& subsets, int ddof) {
  const auto n = static_cast<double>(subsets.size());
  for (const Discrepancy& s : subsets) kid.subsets.push_back(s.value);
  kid.mean = std::accumulate(kid.subsets.begin(), kid.subsets.end(), 0.0) / n;
  double squares = 0;
  for (const double s : kid.subsets) squares += (s - kid.mean) * (s - kid.mean);
  if (n > ddof) kid.deviation = std::sqrt(squares / (n - ddof));
}

// Variance of a mean over `subsets` draws of `size` out of `n`: what is common to all of them, as
// all come from the n, and what differs, which grows less with every draw.
double variance_of_mean(double variance, int n, int size, std::size_t subsets) {
  const double differs = (1.0 / size - 1.0 / n) / static_cast<double>(subsets);
  return variance * (1.0 / n + differs);
}

int subset_size(int smallest, const KidOptions& o) {
  const int size = o.shrink ? std::min(o.subset_size, smallest) : o.subset_size;
  if (size < 2 || size > smallest) {
    throw Error(
        "[metrics] kid: got subsets of {} and sets of at least {} images, expected 2 to N "
        "a subset: N is too small; try --kid-subset-size {}",
        size, smallest, std::max(smallest, 2));
  }
  return size;
}

// Rows of each set, a subset after the other, increasing.
struct Draws {
  std::vector<std::vector<int>> x, y;

  Draws(int x_rows, int y_rows, int size, const KidOptions& o) {
    NumpyRandom random(o.seed);
    for (int s = 0; s < o.subsets; ++s) {
      for (auto [rows, all] : {std::pair(&x, x_rows), {&y, y_rows}}) {
        rows->push_back(random.choice(all, size));
        std::ranges::sort(rows->back());
      }
    }
  }
};

std::vector<int> range(int first, int count) {
  std::vector<int> rows(count);
  std::iota(rows.begin(), rows.end(), first);
  return rows;
}

// All pairs of rows, of which subsets have many in common; or those of each subset for itself,
// where they are fewer.
template <class T>
std::vector<Discrepancy> discrepancies(const Features& first, const Features& second,
                                       const Draws& draws, int size, ThreadPool& pool) {
  const double n = first.rows(), m = second.rows();
  const auto subsets = static_cast<double>(draws.x.size());
  std::vector<Discrepancy> all;
  if (n * n / 2 + m * m / 2 + n * m <= 2 * subsets * size * size) {
    const KernelRows<T> x(first, range(0, first.rows()), pool),
        y(second, range(0, second.rows()), pool);
    const auto xx = kernel_sums(x, x, draws.x, draws.x, pool);
    const auto yy = kernel_sums(y, y, draws.y, draws.y, pool);
    const auto xy = kernel_sums(x, y, draws.x, draws.y, pool);
    for (std::size_t s = 0; s < xx.size(); ++s) all.push_back(discrepancy(xx[s], yy[s], xy[s]));
    return all;
  }
  for (std::size_t s = 0; s < draws.x.size(); ++s) {
    const KernelRows<T> x(first, draws.x[s], pool), y(second, draws.y[s], pool);
    all.push_back(discrepancy(x, y, pool));
  }
  return all;
}

Kid of_subsets(const Features& generated, const Features& reference, const KidOptions& o,
               ThreadPool& pool) {
  const Features& first = o.reference_first ? reference : generated;
  const Features& second = o.reference_first ? generated : reference;
  Kid kid{.subset_size = subset_size(std::min(first.rows(), second.rows()), o)};
  const Draws draws(first.rows(), second.rows(), kid.subset_size, o);
  const bool float32 = o.float32 && !first.is_double() && !second.is_double();
  const auto subsets = float32 ? discrepancies<float>(first, second, draws, kid.subset_size, pool)
                               : discrepancies<double>(first, second, draws, kid.subset_size, pool);
  double x_variance = 0, y_variance = 0;
  for (const Discrepancy& s : subsets) {
    x_variance += s.x_variance / o.subsets;
    y_variance += s.y_variance / o.subsets;
  }
  finish(kid, subsets, 0);
  kid.standard_error =
      std::sqrt(variance_of_mean(x_variance, first.rows(), kid.subset_size, subsets.size()) +
                variance_of_mean(y_variance, second.rows(), kid.subset_size, subsets.size()));
  return kid;
}

// Block b of `blocks` of n rows: sizes n / blocks and one more, the longer ones last.
std::vector<int> block_of(int n, int b, int blocks) {
  const int size = n / blocks, longer = n % blocks, shorter = blocks - longer;
  return range(b * size + std::max(b - shorter, 0), size + (b >= shorter ? 1 : 0));
}

Kid of_blocks(const Features& generated, const Features& reference, const KidOptions& o,
              ThreadPool& pool) {
  const int largest = std::max(generated.rows(), reference.rows());
  const int blocks = (largest + o.subset_size - 1) / o.subset_size;
  const int smallest = std::min(generated.rows(), reference.rows());
  if (smallest / blocks < 2) {
    throw Error(
        "[metrics] kid: got {} images in {} blocks, expected at least 2 a block: N is too "
        "small; try sets of more equal size",
        smallest, blocks);
  }
  Kid kid{.subset_size = (largest + blocks - 1) / blocks};
  std::vector<Discrepancy> subsets;
  for (int b = 0; b < blocks; ++b) {
    const KernelRows<double> x(generated, block_of(generated.rows(), b, blocks), pool);
    const KernelRows<double> y(reference, block_of(reference.rows(), b, blocks), pool);
    subsets.push_back(discrepancy(x, y, pool));
  }
  finish(kid, subsets, 1);
  kid.standard_error = blocks > 1 ? kid.deviation / std::sqrt(blocks)
                                  : std::sqrt(subsets[0].x_variance / generated.rows() +
                                              subsets[0].y_variance / reference.rows());
  return kid;
}

}  // namespace

Kid kernel_distance(const Features& generated, const Features& reference, const KidOptions& o,
                    ThreadPool& pool) {
  DDPM_CHECK(o.subsets >= 1 && o.subset_size >= 1);
  if (generated.dims() != reference.dims()) {
    throw Error(ExitCode::bad_input,
                "[metrics] kid: got {} and {} features, expected the same network for both sets",
                generated.dims(), reference.dims());
  }
  return o.sampling == KidSampling::blocks ? of_blocks(generated, reference, o, pool)
                                           : of_subsets(generated, reference, o, pool);
}

}  // namespace ddpm
