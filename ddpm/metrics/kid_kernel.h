// Sums of KID's kernel (x y / d + 1)^3 over pairs of rows.
#pragma once

#include <span>
#include <vector>

#include "ddpm/metrics/matrix.h"

namespace ddpm {

/// Over all pairs of a row of x and a row of y, without a row's pair with itself when both are one
/// set: the sum, and that of each row and column.
struct KernelSums {
  double all = 0;
  std::vector<double> rows, columns;  // columns: empty when both are one set
};

KernelSums kernel_sums(const Matrix& x, const Matrix& y, ThreadPool& pool);

/// The sums of every subset of rows: subset s is of_x[s] of x with of_y[s] of y, both increasing.
/// When x and y are one matrix, of_x and of_y are the same. The kernel of a pair is computed once,
/// however many subsets have it.
std::vector<KernelSums> kernel_sums(const Matrix& x, const Matrix& y,
                                    std::span<const std::vector<int>> of_x,
                                    std::span<const std::vector<int>> of_y, ThreadPool& pool);

}  // namespace ddpm
