// A symmetric matrix made tridiagonal, with the same eigenvalues.
#pragma once

#include <vector>

#include "ddpm/base/thread_pool.h"
#include "ddpm/metrics/matrix.h"

namespace ddpm {

struct Tridiagonal {
  std::vector<double> diagonal;  // [n]
  std::vector<double> beside;    // [n - 1]
};

/// Householder's reduction, a panel of columns at a time (Dongarra, Sorensen and Hammarling 1989;
/// LAPACK's dsytrd): one half of the work goes through the matrix column by column, the other half
/// is products of matrices. Reads the lower triangle of `symmetric`, [n, n]. The same bits for any
/// number of threads. Squares of elements may neither overflow nor vanish.
Tridiagonal tridiagonal(Matrix symmetric, ThreadPool& pool);

}  // namespace ddpm
