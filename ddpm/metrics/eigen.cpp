// The only file that sees Eigen.
#include <Eigen/Eigenvalues>
#include <algorithm>
#include <cmath>
#include <span>

#include "ddpm/base/error.h"
#include "ddpm/metrics/factor.h"
#include "ddpm/metrics/tridiagonal.h"

namespace ddpm {
namespace {

using Solver = Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd>;
using VectorMap = Eigen::Map<const Eigen::VectorXd>;

void check(const Solver& solver, int n) {
  if (solver.info() == Eigen::Success) return;
  throw Error(ExitCode::numeric,
              "[metrics] eigenvalues: no convergence for a {} x {} matrix, expected finite "
              "statistics",
              n, n);
}

// Of the largest element.
int largest_exponent(const Matrix& m) {
  double largest = 0;
  for (const double value : m.values) largest = std::max(largest, std::abs(value));
  return largest > 0 ? std::ilogb(largest) : 0;
}

void multiply_by_power(std::span<double> values, int exponent) {
  for (double& value : values) value = std::ldexp(value, exponent);
}

}  // namespace

std::vector<double> eigenvalues(const Matrix& m, ThreadPool& pool) {
  DDPM_CHECK(m.rows == m.cols);
  if (m.rows == 0) return {};
  const int exponent = largest_exponent(m);
  Matrix scaled = m;
  multiply_by_power(scaled.values, -exponent);
  const Tridiagonal t = tridiagonal(std::move(scaled), pool);
  Solver solver(m.rows);
  solver.computeFromTridiagonal(VectorMap(t.diagonal.data(), m.rows),
                                VectorMap(t.beside.data(), m.rows - 1), Eigen::EigenvaluesOnly);
  check(solver, m.rows);
  std::vector<double> values(solver.eigenvalues().data(), solver.eigenvalues().data() + m.rows);
  multiply_by_power(values, exponent);
  return values;
}

EigenSystem eigenvectors(const Matrix& m) {
  DDPM_CHECK(m.rows == m.cols);
  EigenSystem out{{}, Matrix(m.rows, m.cols)};
  if (m.rows == 0) return out;
  const Solver solver(Eigen::Map<const Eigen::MatrixXd>(m.values.data(), m.rows, m.cols));
  check(solver, m.rows);
  out.values.assign(solver.eigenvalues().data(), solver.eigenvalues().data() + m.rows);
  for (int i = 0; i < m.rows; ++i) {
    for (int j = 0; j < m.cols; ++j) out.vectors.at(i, j) = solver.eigenvectors()(i, j);
  }
  return out;
}

}  // namespace ddpm
