#include "ddpm/metrics/fid_error.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "ddpm/base/error.h"
#include "ddpm/metrics/factor.h"

namespace ddpm {
namespace {

// Columns B of each set with |B^T x|^2 = twice the derivative of tr sqrt(S_a S_b) by the set's
// covariance, along x x^T.
struct Columns {
  Matrix a, b;
};

void scale_columns(Matrix& m, const std::vector<double>& scale) {
  for (int i = 0; i < m.rows; ++i) {
    for (int j = 0; j < m.cols; ++j) m.at(i, j) *= scale[j];
  }
}

// With G G^T the factored covariance, S the other and G^T S G = U L U^T: G U L^(-1/4) for the other
// set, S G U L^(-3/4) for the factored one. The two derivatives are inverse to one another, so one
// set of eigenvectors serves both.
Columns derivative_columns(const Matrix& a, const Matrix& b, ThreadPool& pool) {
  const Projection p = project(a, b, pool);
  const Matrix& other = p.factored_a ? b : a;
  const int d = other.rows, rank = p.factor.rank();
  const EigenSystem e = eigenvectors(p.matrix);
  const double largest = e.values.empty() ? 0 : std::max(e.values.back(), 0.0);
  const double floor = rank * std::numeric_limits<double>::epsilon() * largest;
  std::vector<double> quarter(rank), half(rank);
  for (int j = 0; j < rank; ++j) {
    if (!(e.values[j] > floor)) continue;
    half[j] = 1 / std::sqrt(e.values[j]);
    quarter[j] = std::sqrt(half[j]);
  }
  Matrix of_other(d, rank), of_factored(d, rank);
  add_product(view(p.factor.f), view(e.vectors), d, rank, rank, 1, of_other.row(0), rank, pool);
  scale_columns(of_other, quarter);
  add_product(view(other), view(of_other), d, rank, d, 1, of_factored.row(0), rank, pool);
  scale_columns(of_factored, half);
  if (p.factored_a) return {std::move(of_factored), std::move(of_other)};
  return {std::move(of_other), std::move(of_factored)};
}

// What an image adds: 2 (mu - mu') x + |x|^2 - |B^T x|^2 for a centred row x.
double variance_over(const Features& f, const Statistics& own, const Statistics& other,
                     const Matrix& columns, ThreadPool& pool) {
  const std::vector<int> order = f.canonical_order();
  const int d = f.dims();
  constexpr int kRows = 512;
  double sum = 0, squares = 0;
  Matrix x(kRows, d);
  for (int first = 0; first < f.rows(); first += kRows) {
    const int rows = std::min(kRows, f.rows() - first);
    for (int r = 0; r < rows; ++r) {
      f.row(order[first + r], x.row(r));
      for (int j = 0; j < d; ++j) x.at(r, j) -= own.mean[j];
    }
    Matrix y(rows, columns.cols);
    add_product(view(x), view(columns), rows, columns.cols, d, 1, y.row(0), y.cols, pool);
    for (int r = 0; r < rows; ++r) {
      double influence = 0;
      for (int j = 0; j < d; ++j) {
        influence += (2 * (own.mean[j] - other.mean[j]) + x.at(r, j)) * x.at(r, j);
      }
      for (int j = 0; j < y.cols; ++j) influence -= y.at(r, j) * y.at(r, j);
      sum += influence;
      squares += influence * influence;
    }
  }
  const double n = f.rows(), mean = sum / n;
  return std::max(squares / n - mean * mean, 0.0);
}

// The same for normal x: 4 m^T S m + 2 tr((S - S B B^T)^2) with m the difference of the means.
double variance_if_normal(const Statistics& own, const Statistics& other, const Matrix& columns,
                          ThreadPool& pool) {
  const Matrix& s = own.covariance;
  const int d = s.rows, rank = columns.cols;
  Matrix sb(d, rank), p = s;
  add_product(view(s), view(columns), d, rank, d, 1, sb.row(0), rank, pool);
  add_product(view(sb), transposed(columns), d, d, rank, -1, p.row(0), d, pool);
  double linear = 0, quadratic = 0;
  for (int i = 0; i < d; ++i) {
    double of_row = 0;
    for (int j = 0; j < d; ++j) {
      of_row += s.at(i, j) * (own.mean[j] - other.mean[j]);
      quadratic += p.at(i, j) * p.at(j, i);
    }
    linear += of_row * (own.mean[i] - other.mean[i]);
  }
  return std::max(4 * linear + 2 * quadratic, 0.0);
}

}  // namespace

InfluenceVariance influence_variance(const Features* a, const Statistics& sa, const Features* b,
                                     const Statistics& sb, ThreadPool& pool) {
  if (sa.dims() != sb.dims()) {
    throw Error(ExitCode::bad_input,
                "[metrics] fid: got {} and {} features, expected the same network for both sets",
                sa.dims(), sb.dims());
  }
  const Columns columns = derivative_columns(sa.covariance, sb.covariance, pool);
  const auto variance = [&](const Features* f, const Statistics& own, const Statistics& other,
                            const Matrix& of_own) {
    return f != nullptr ? variance_over(*f, own, other, of_own, pool)
                        : variance_if_normal(own, other, of_own, pool);
  };
  return {variance(a, sa, sb, columns.a), variance(b, sb, sa, columns.b)};
}

double frechet_standard_error(const InfluenceVariance& v, std::int64_t n_a, std::int64_t n_b) {
  const auto share = [](double variance, std::int64_t n) {
    return n > 0 ? variance / static_cast<double>(n) : 0.0;
  };
  return std::sqrt(share(v.a, n_a) + share(v.b, n_b));
}

}  // namespace ddpm
