#include "ddpm/metrics/kid_kernel.h"

#include <algorithm>
#include <numeric>

namespace ddpm {
namespace {

// The side of a tile, whose factors and result stay in the second-level cache; rows of a panel.
constexpr int kSide = 192;
static_assert(kSide % kPackedRows == 0);

// Products x y of rows first .. first + rows - 1 of x with the first `columns` of y.
template <class T>
struct Panel {
  int first, rows, columns;
  std::vector<T> values;

  const T* row(int i) const {
    return values.data() + static_cast<std::size_t>(i - first) * columns;
  }
};

template <class T>
void compute(Panel<T>& panel, const KernelRows<T>& x, const KernelRows<T>& y, ThreadPool& pool) {
  std::vector<LineVector<T>> products(pool.threads(), LineVector<T>(kSide * kSide));
  panel.values.resize(static_cast<std::size_t>(panel.rows) * panel.columns);
  pool.run((panel.columns + kSide - 1) / kSide, [&](int task, int worker) {
    const int j = task * kSide, n = std::min(kSide, panel.columns - j);
    T* const c = products[worker].data();  // dense: rows of the panel may share the cache's sets
    std::fill_n(c, panel.rows * n, T{0});
    packed_product(PackedTile<T>{x.packed(), y.packed(), panel.first, j, panel.rows, n, c, n});
    for (int r = 0; r < panel.rows; ++r) {
      std::copy_n(c + r * n, n, &panel.values[static_cast<std::size_t>(r) * panel.columns + j]);
    }
  });
}

// Adds the pairs of a subset whose row of x lies in the panel.
template <class T>
void add(KernelSums& sums, const Panel<T>& panel, double dims, const std::vector<int>& of_x,
         const std::vector<int>& of_y, bool same) {
  auto& columns = same ? sums.rows : sums.columns;
  const auto begin = std::ranges::lower_bound(of_x, panel.first);
  const auto end = std::ranges::lower_bound(of_x, panel.first + panel.rows);
  for (auto at = begin; at != end; ++at) {
    const std::size_t i = at - of_x.begin(), count = same ? i : of_y.size();
    const T* const products = panel.row(*at);
    double of_row = 0;
    for (std::size_t j = 0; j < count; ++j) {
      const double v = double{products[of_y[j]]} / dims + 1, k = v * v * v;
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
KernelRows<T>::KernelRows(const Features& features, std::span<const int> chosen, ThreadPool& pool)
    : rows_(static_cast<int>(chosen.size())),
      dims_(features.dims()),
      left_(packed_size(rows_, dims_)),
      right_(packed_size(rows_, dims_)) {
  struct Scratch {
    std::vector<double> row;
    std::vector<T> dense;
  };
  const std::size_t numbers = std::size_t{kPackedRows} * dims_;
  std::vector<Scratch> scratch(pool.threads(),
                               {std::vector<double>(dims_), std::vector<T>(numbers)});
  pool.run((rows_ + kPackedRows - 1) / kPackedRows, [&](int task, int worker) {
    const int first = task * kPackedRows, count = std::min(kPackedRows, rows_ - first);
    auto& [row, dense] = scratch[worker];
    for (int i = 0; i < count; ++i) {
      features.row(chosen[first + i], row.data());
      std::ranges::transform(row, dense.begin() + std::ptrdiff_t{1} * i * dims_,
                             [](double v) { return static_cast<T>(v); });
    }
    pack_rows(Packing<T>{dense.data(), first, count, rows_, dims_, left_.data(), right_.data()});
  });
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
  Panel<T> panel;
  for (panel.first = 0; panel.first < x.rows(); panel.first += kSide) {
    panel.rows = std::min(kSide, x.rows() - panel.first);
    panel.columns = same ? panel.first + panel.rows : y.rows();
    compute(panel, x, y, pool);
    pool.run(static_cast<int>(sums.size()),
             [&](int s, int) { add(sums[s], panel, x.packed().dims, of_x[s], of_y[s], same); });
  }
  return sums;
}

template <class T>
KernelSums kernel_sums(const KernelRows<T>& x, const KernelRows<T>& y, ThreadPool& pool) {
  const std::vector<int> of_x = all_of(x.rows()), of_y = all_of(y.rows());
  return kernel_sums(x, y, std::span(&of_x, 1), std::span(&of_y, 1), pool)[0];
}

template class KernelRows<float>;
template class KernelRows<double>;
template KernelSums kernel_sums(const KernelRows<float>&, const KernelRows<float>&, ThreadPool&);
template KernelSums kernel_sums(const KernelRows<double>&, const KernelRows<double>&, ThreadPool&);
template std::vector<KernelSums> kernel_sums(const KernelRows<float>&, const KernelRows<float>&,
                                             std::span<const std::vector<int>>,
                                             std::span<const std::vector<int>>, ThreadPool&);
template std::vector<KernelSums> kernel_sums(const KernelRows<double>&, const KernelRows<double>&,
                                             std::span<const std::vector<int>>,
                                             std::span<const std::vector<int>>, ThreadPool&);

}  // namespace ddpm
