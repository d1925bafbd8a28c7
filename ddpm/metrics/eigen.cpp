// The only file that sees Eigen.
#include <Eigen/Eigenvalues>

#include "ddpm/base/error.h"
#include "ddpm/metrics/factor.h"

namespace ddpm {
namespace {

Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solve(const Matrix& m, int options) {
  DDPM_CHECK(m.rows == m.cols);
  const Eigen::Map<const Eigen::MatrixXd> view(m.values.data(), m.rows, m.cols);
  Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solver(view, options);
  if (solver.info() != Eigen::Success) {
    throw Error(ExitCode::numeric,
                "[metrics] eigenvalues: no convergence for a {} x {} matrix, expected finite "
                "statistics",
                m.rows, m.cols);
  }
  return solver;
}

}  // namespace

std::vector<double> eigenvalues(const Matrix& m) {
  if (m.rows == 0) return {};
  const auto solver = solve(m, Eigen::EigenvaluesOnly);
  return {solver.eigenvalues().data(), solver.eigenvalues().data() + m.rows};
}

EigenSystem eigenvectors(const Matrix& m) {
  EigenSystem out{{}, Matrix(m.rows, m.cols)};
  if (m.rows == 0) return out;
  const auto solver = solve(m, Eigen::ComputeEigenvectors);
  out.values.assign(solver.eigenvalues().data(), solver.eigenvalues().data() + m.rows);
  for (int i = 0; i < m.rows; ++i) {
    for (int j = 0; j < m.cols; ++j) out.vectors.at(i, j) = solver.eigenvectors()(i, j);
  }
  return out;
}

}  // namespace ddpm
