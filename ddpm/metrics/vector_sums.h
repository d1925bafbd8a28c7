// Sums over vectors of doubles, each in one fixed order: partial sums of every eighth element, then
// a tree. The same bits on every instruction set.
#pragma once

#include <cstddef>

namespace ddpm {

double dot(const double* a, const double* b, int n);

/// y += factor x.
void add_scaled(double factor, const double* x, double* y, int n);

/// Rows [first, last), first a multiple of 4, of a symmetric matrix whose lower triangle is at
/// `a`: for each row i adds sum over j <= i of a(i, j) x[j] to y[i], and a(i, j) x[i] to y[j] for
/// each j < i.
struct SymmetricRows {
  const double* a;
  std::ptrdiff_t stride;
  int first, last;
};
void add_symmetric(const SymmetricRows& rows, const double* x, double* y);

}  // namespace ddpm
