// Sums of KID's kernel (x y / d + 1)^3 over pairs of rows.
#pragma once

#include <span>
#include <vector>

#include "ddpm/base/cache_lines.h"
#include "ddpm/base/thread_pool.h"
#include "ddpm/metrics/features.h"
#include "ddpm/metrics/matrix_tile.h"

namespace ddpm {

/// Rows of features. T: double, or float, in which x y is then computed: one fma chain. What
/// follows is double.
template <class T>
class KernelRows {
 public:
  KernelRows(const Features& features, std::span<const int> rows, ThreadPool& pool);

  int rows() const { return rows_; }
  PackedRows<T> packed() const { return {left_.data(), right_.data(), rows_, dims_}; }

 private:
  int rows_, dims_;
  LineVector<T> left_, right_;
};

/// Over all pairs of a row of x and a row of y, without a row's pair with itself when both are one
/// set: the sum, and that of each row and column.
struct KernelSums {
  double all = 0;
  std::vector<double> rows, columns;  // columns: empty when both are one set
};

template <class T>
KernelSums kernel_sums(const KernelRows<T>& x, const KernelRows<T>& y, ThreadPool& pool);

/// The sums of every subset of rows: subset s is of_x[s] of x with of_y[s] of y, both increasing.
/// When x and y are one object, of_x and of_y are the same. The kernel of a pair is computed once,
/// however many subsets have it.
template <class T>
std::vector<KernelSums> kernel_sums(const KernelRows<T>& x, const KernelRows<T>& y,
                                    std::span<const std::vector<int>> of_x,
                                    std::span<const std::vector<int>> of_y, ThreadPool& pool);

}  // namespace ddpm
