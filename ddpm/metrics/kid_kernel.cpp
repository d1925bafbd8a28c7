#include "ddpm/metrics/kid_kernel.h"

#include <algorithm>
#include <numeric>

#include "ddpm/metrics/matrix_tile.h"

namespace ddpm {
namespace {

// Kernels of rows first .. first + rows - 1 of x with the first `columns` of y; with x itself, only
// those of smaller numbers are right.
struct Panel {
  int first, rows, columns;
  std::vector<double> values;

  const double* row(int i) const {
    return values.data() + static_cast<std::size_t>(i - first) * columns;
  }
};

template <class T>
void compute(Panel& panel, const KernelRows<T>& x, const KernelRows<T>& y, ThreadPool& pool) {
  const int d = x.dims, widest = std::min(kTile, panel.columns);
  const std::size_t packed = tile_scratch(panel.rows, widest);
  std::vector<std::vector<T>> scratch(
      pool.threads(), std::vector<T>(packed + std::size_t{1} * panel.rows * widest));
  panel.values.resize(static_cast<std::size_t>(panel.rows) * panel.columns);
  pool.run((panel.columns + kTile - 1) / kTile, [&](int task, int worker) {
    const int j = task * kTile, n = std::min(kTile, panel.columns - j);
    T* const products = scratch[worker].data() + packed;
    std::fill_n(products, std::ptrdiff_t{1} * panel.rows * n, T{0});
    tile_product(Tile<T>{.a = {x.row(panel.first), d, 1},
                         .b = {y.row(j), 1, d},
                         .m = panel.rows,
                         .n = n,
                         .last = d,
                         .c = products,
                         .stride = n},
                 scratch[worker].data());
    for (int r = 0; r < panel.rows; ++r) {
      const T* const from = products + std::ptrdiff_t{1} * r * n;
      double* const to = &panel.values[static_cast<std::size_t>(r) * panel.columns + j];
      for (int c = 0; c < n; ++c) {
        const double v = double{from[c]} / d + 1;
        to[c] = v * v * v;
      }
    }
  });
}

// Adds the pairs of a subset whose row of x lies in the panel.
void add(KernelSums& sums, const Panel& panel, const std::vector<int>& of_x,
         const std::vector<int>& of_y, bool same) {
  auto& columns = same ? sums.rows : sums.columns;
  const auto begin = std::ranges::lower_bound(of_x, panel.first);
  const auto end = std::ranges::lower_bound(of_x, panel.first + panel.rows);
  for (auto at = begin; at != end; ++at) {
    const std::size_t i = at - of_x.begin(), count = same ? i : of_y.size();
    const double* const kernel = panel.row(*at);
    double of_row = 0;
    for (std::size_t j = 0; j < count; ++j) {
      const double k = kernel[of_y[j]];
      of_row += k;
      columns[j] += k;
    }
    sums.rows[i] += of_row;
    sums.all += same ? 2 * of_row : of_row;
  }
}

std::vector<int> all_of(int rows) {
  std::vector<int> all(rows);
  std::iota(all.begin(), all.end(), 0);
  return all;
}

}  // namespace

template <class T>
KernelRows<T>::KernelRows(const Features& features, std::span<const int> chosen)
    : rows(static_cast<int>(chosen.size())),
      dims(features.dims()),
      values(std::size_t{1} * rows * dims) {
  std::vector<double> row(dims);
  for (int i = 0; i < rows; ++i) {
    features.row(chosen[i], row.data());
    std::ranges::transform(row, values.begin() + std::ptrdiff_t{1} * i * dims,
                           [](double v) { return static_cast<T>(v); });
  }
}

template <class T>
std::vector<KernelSums> kernel_sums(const KernelRows<T>& x, const KernelRows<T>& y,
                                    std::span<const std::vector<int>> of_x,
                                    std::span<const std::vector<int>> of_y, ThreadPool& pool) {
  const bool same = &x == &y;
  std::vector<KernelSums> sums;
  for (std::size_t s = 0; s < of_x.size(); ++s) {
    sums.push_back(
        {0, std::vector<double>(of_x[s].size()), std::vector<double>(same ? 0 : of_y[s].size())});
  }
  Panel panel;
  for (panel.first = 0; panel.first < x.rows; panel.first += kTile) {
    panel.rows = std::min(kTile, x.rows - panel.first);
    panel.columns = same ? panel.first + panel.rows : y.rows;
    compute(panel, x, y, pool);
    pool.run(static_cast<int>(sums.size()),
             [&](int s, int) { add(sums[s], panel, of_x[s], of_y[s], same); });
  }
  return sums;
}

template <class T>
KernelSums kernel_sums(const KernelRows<T>& x, const KernelRows<T>& y, ThreadPool& pool) {
  const std::vector<int> of_x = all_of(x.rows), of_y = all_of(y.rows);
  return kernel_sums(x, y, std::span(&of_x, 1), std::span(&of_y, 1), pool)[0];
}

template struct KernelRows<float>;
template struct KernelRows<double>;
template KernelSums kernel_sums(const KernelRows<float>&, const KernelRows<float>&, ThreadPool&);
template KernelSums kernel_sums(const KernelRows<double>&, const KernelRows<double>&, ThreadPool&);
template std::vector<KernelSums> kernel_sums(const KernelRows<float>&, const KernelRows<float>&,
                                             std::span<const std::vector<int>>,
                                             std::span<const std::vector<int>>, ThreadPool&);
template std::vector<KernelSums> kernel_sums(const KernelRows<double>&, const KernelRows<double>&,
                                             std::span<const std::vector<int>>,
                                             std::span<const std::vector<int>>, ThreadPool&);

}  // namespace ddpm
