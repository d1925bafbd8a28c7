#include "ddpm/metrics/kid_kernel.h"

#include <algorithm>
#include <numeric>

#include "ddpm/metrics/matrix_tile.h"

namespace ddpm {
namespace {

constexpr int kPanelRows = kTile;

// Kernels of rows first .. first + rows - 1 of x with the first `columns` of y; with x itself, only
// those of smaller numbers are right.
struct Panel {
  int first, rows, columns;
  std::vector<double> values;

  const double* row(int i) const {
    return values.data() + static_cast<std::size_t>(i - first) * columns;
  }
};

void compute(Panel& panel, const Matrix& x, const Matrix& y, ThreadPool& pool) {
  const std::size_t columns = panel.columns;
  panel.values.assign(panel.rows * columns, 0.0);
  MatrixView rows = view(x);
  rows.data = x.row(panel.first);
  add_product(rows, transposed(y), panel.rows, panel.columns, x.cols, 1, panel.values.data(),
              panel.columns, pool);
  pool.run(panel.rows, [&](int task, int) {
    for (std::size_t j = task * columns; j < (task + 1) * columns; ++j) {
      const double v = panel.values[j] / x.cols + 1;
      panel.values[j] = v * v * v;
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

}  // namespace

std::vector<KernelSums> kernel_sums(const Matrix& x, const Matrix& y,
                                    std::span<const std::vector<int>> of_x,
                                    std::span<const std::vector<int>> of_y, ThreadPool& pool) {
  const bool same = &x == &y;
  std::vector<KernelSums> sums;
  for (std::size_t s = 0; s < of_x.size(); ++s) {
    sums.push_back(
        {0, std::vector<double>(of_x[s].size()), std::vector<double>(same ? 0 : of_y[s].size())});
  }
  Panel panel;
  for (panel.first = 0; panel.first < x.rows; panel.first += kPanelRows) {
    panel.rows = std::min(kPanelRows, x.rows - panel.first);
    panel.columns = same ? panel.first + panel.rows : y.rows;
    compute(panel, x, y, pool);
    pool.run(static_cast<int>(sums.size()),
             [&](int s, int) { add(sums[s], panel, of_x[s], of_y[s], same); });
  }
  return sums;
}

KernelSums kernel_sums(const Matrix& x, const Matrix& y, ThreadPool& pool) {
  std::vector<int> of_x(x.rows), of_y(y.rows);
  std::iota(of_x.begin(), of_x.end(), 0);
  std::iota(of_y.begin(), of_y.end(), 0);
  return kernel_sums(x, y, std::span(&of_x, 1), std::span(&of_y, 1), pool)[0];
}

}  // namespace ddpm
