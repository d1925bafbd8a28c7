// Dense matrices of doubles, and the products that all scores are made of. Every element of a
// product is one fma chain in increasing k: the same bits for any number of threads and on every
// instruction set.
#pragma once

#include <cstddef>
#include <vector>

#include "ddpm/base/thread_pool.h"

namespace ddpm {

/// rows x cols, row-major.
struct Matrix {
  int rows = 0, cols = 0;
  std::vector<double> values;

  Matrix() = default;
  Matrix(int r, int c) : rows(r), cols(c), values(std::size_t{1} * r * c) {}

  double* row(int i) { return values.data() + std::size_t{1} * i * cols; }
  const double* row(int i) const { return values.data() + std::size_t{1} * i * cols; }
  double& at(int i, int j) { return row(i)[j]; }
  double at(int i, int j) const { return row(i)[j]; }
  bool operator==(const Matrix&) const = default;
};

/// A matrix in memory, or its transpose: element (i, j) is data[i * down + j * right].
template <class T>
struct ViewOf {
  const T* data;
  std::ptrdiff_t down, right;
};
using MatrixView = ViewOf<double>;

MatrixView view(const Matrix& m);
MatrixView transposed(const Matrix& m);

/// What is known of a product, so that half of the work can be left out.
struct ProductForm {
  bool symmetric = false;  // only elements j <= i are computed (and some beside the diagonal)
  bool a_upper = false;    // a(i, k) is 0 for k < i
  bool b_lower = false;    // b(k, j) is 0 for k < j
};

/// c(i, j) += scale * sum over k < inner of a(i, k) b(k, j), for an m x n block with row stride
/// `stride`; scale is 1 or -1.
void add_product(MatrixView a, MatrixView b, int m, int n, int inner, double scale, double* c,
                 std::ptrdiff_t stride, ThreadPool& pool, ProductForm form = {});

/// Copies what is below the diagonal above it.
void mirror(Matrix& m);

}  // namespace ddpm
