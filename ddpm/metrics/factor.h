// Symmetric matrices taken apart: Cholesky factors, eigenvalues.
#pragma once

#include <string>
#include <vector>

#include "ddpm/base/thread_pool.h"
#include "ddpm/metrics/matrix.h"

namespace ddpm {

/// F [d, rank] with F F^T = covariance but for rounding.
struct Factor {
  Matrix f;
  bool lower = false;  // f(k, j) is 0 for k < j: a full-rank, unpivoted factor

  int rank() const { return f.cols; }
};

/// Cholesky's factor; where a pivot is no more than rounding, the factor of lower rank that
/// diagonal pivoting finds. Throws Error (bad_input) naming `name` when the matrix has negative
/// eigenvalues beyond rounding in float32.
Factor factor(const Matrix& covariance, const std::string& name, ThreadPool& pool);

/// F^T S F of two covariances, F the factor of the one of lower rank: its eigenvalues are those of
/// the product but for zeros, and the other matrix has no zero eigenvalue in F's span, where a
/// square root would turn rounding of 1e-16 into 1e-8. Symmetric in a and b, bit for bit.
struct Projection {
  Factor factor;
  bool factored_a = false;  // F F^T is a, S is b; else the reverse
  Matrix matrix;
};
Projection project(const Matrix& a, const Matrix& b, ThreadPool& pool);

/// The same with a factor of b that is there already.
Projection project(const Matrix& a, const Matrix& b, const Factor& of_b, ThreadPool& pool);

/// In increasing order.
std::vector<double> eigenvalues(const Matrix& symmetric, ThreadPool& pool);

struct EigenSystem {
  std::vector<double> values;  // increasing
  Matrix vectors;              // [d, d], a column each
};
EigenSystem eigenvectors(const Matrix& symmetric);

}  // namespace ddpm
