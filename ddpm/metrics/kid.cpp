#include "ddpm/metrics/kid.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "ddpm/base/error.h"
#include "ddpm/metrics/matrix.h"
#include "ddpm/metrics/numpy_random.h"

namespace ddpm {
namespace {

Matrix gather(const Features& f, const std::vector<int>& rows) {
  Matrix m(static_cast<int>(rows.size()), f.dims());
  for (int i = 0; i < m.rows; ++i) f.row(rows[i], m.row(i));
  return m;
}

// Sum of the kernel over all pairs, without the diagonal when both are one set.
double kernel_sum(const Matrix& x, const Matrix& y, bool same, ThreadPool& pool) {
  Matrix k(x.rows, y.rows);
  add_product(view(x), transposed(y), x.rows, y.rows, x.cols, 1, k.row(0), k.cols, pool,
              {.symmetric = same});
  double sum = 0;
  for (int i = 0; i < k.rows; ++i) {
    const int columns = same ? i : k.cols;
    double of_row = 0;
    for (int j = 0; j < columns; ++j) {
      const double v = k.at(i, j) / x.cols + 1;
      of_row += v * v * v;
    }
    sum += of_row;
  }
  return same ? 2 * sum : sum;
}

double squared_discrepancy(const Matrix& x, const Matrix& y, ThreadPool& pool) {
  const double n = x.rows, m = y.rows;
  return kernel_sum(x, x, true, pool) / (n * (n - 1)) +
         kernel_sum(y, y, true, pool) / (m * (m - 1)) - 2 * kernel_sum(x, y, false, pool) / (n * m);
}

void finish(Kid& kid, int ddof, double independent) {
  const auto n = static_cast<double>(kid.subsets.size());
  kid.mean = std::accumulate(kid.subsets.begin(), kid.subsets.end(), 0.0) / n;
  double squares = 0;
  for (const double s : kid.subsets) squares += (s - kid.mean) * (s - kid.mean);
  if (n > ddof) kid.deviation = std::sqrt(squares / (n - ddof));
  kid.standard_error = kid.deviation / std::sqrt(independent);
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

Kid of_subsets(const Features& generated, const Features& reference, const KidOptions& o,
               ThreadPool& pool) {
  const int smallest = std::min(generated.rows(), reference.rows());
  Kid kid{.subset_size = subset_size(smallest, o)};
  NumpyRandom random(o.seed);
  const Features& first = o.reference_first ? reference : generated;
  const Features& second = o.reference_first ? generated : reference;
  for (int s = 0; s < o.subsets; ++s) {
    const Matrix x = gather(first, random.choice(first.rows(), kid.subset_size));
    const Matrix y = gather(second, random.choice(second.rows(), kid.subset_size));
    kid.subsets.push_back(squared_discrepancy(x, y, pool));
  }
  finish(kid, 0, std::min<double>(o.subsets, std::max(1.0, 1.0 * smallest / kid.subset_size)));
  return kid;
}

// Block b of `blocks`: sizes n / blocks and one more, the longer ones last.
Matrix block_of(const Features& f, int b, int blocks) {
  const int size = f.rows() / blocks, longer = f.rows() % blocks, shorter = blocks - longer;
  const int first = b * size + std::max(b - shorter, 0);
  std::vector<int> rows(size + (b >= shorter ? 1 : 0));
  std::iota(rows.begin(), rows.end(), first);
  return gather(f, rows);
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
  for (int b = 0; b < blocks; ++b) {
    kid.subsets.push_back(
        squared_discrepancy(block_of(generated, b, blocks), block_of(reference, b, blocks), pool));
  }
  finish(kid, 1, blocks);
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
