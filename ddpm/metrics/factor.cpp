#include "ddpm/metrics/factor.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

#include "ddpm/base/error.h"
#include "ddpm/metrics/vector_sums.h"

namespace ddpm {
namespace {

constexpr int kPanel = 64;
// A residual larger than this share of the largest variance can't come from float32 rounding.
constexpr double kIndefinite = 1e-5;

double largest_variance(const Matrix& m) {
  double largest = 0;
  for (int i = 0; i < m.rows; ++i) largest = std::max(largest, m.at(i, i));
  return largest;
}

// What rounding leaves of a pivot that should be 0 (as LAPACK's dpstrf has it).
double pivot_floor(const Matrix& m) {
  return m.rows * std::numeric_limits<double>::epsilon() * largest_variance(m);
}

// The triangle of a diagonal block at `first`, in place; false when a pivot is too small.
bool factor_block(Matrix& a, int first, int size, double floor) {
  for (int j = first; j < first + size; ++j) {
    double* row = a.row(j);
    for (int i = first; i < j; ++i) {
      row[i] = (row[i] - dot(row + first, a.row(i) + first, i - first)) / a.at(i, i);
    }
    const double pivot = row[j] - dot(row + first, row + first, j - first);
    if (!(pivot > floor)) return false;
    row[j] = std::sqrt(pivot);
  }
  return true;
}

// Rows below a factored block: x L^T = a, row by row.
void solve_below(Matrix& a, int first, int size, ThreadPool& pool) {
  const int below = first + size;
  constexpr int kRows = 16;
  pool.run((a.rows - below + kRows - 1) / kRows, [&](int task, int) {
    const int end = std::min(below + (task + 1) * kRows, a.rows);
    for (int r = below + task * kRows; r < end; ++r) {
      double* row = a.row(r);
      for (int j = first; j < below; ++j) {
        row[j] = (row[j] - dot(row + first, a.row(j) + first, j - first)) / a.at(j, j);
      }
    }
  });
}

// Of L L^T, by inverse iteration: an upper estimate, and close when it stands apart, as rounding
// does from what is not. Without pivoting the pivots themselves don't tell: rounding in a late one
// is enlarged by the condition of what came before it.
double smallest_eigenvalue(const Matrix& l) {
  constexpr int kSteps = 4;
  std::vector<double> x(l.rows);
  for (int i = 0; i < l.rows; ++i) x[i] = 1 + 0.5 * i / l.rows;  // along no axis, to no pattern
  double smallest = 0;
  for (int step = 0; step < kSteps; ++step) {
    const double before = std::sqrt(dot(x.data(), x.data(), l.rows));
    for (double& v : x) v /= before;
    for (int i = 0; i < l.rows; ++i) {
      const double* row = l.row(i);
      x[i] = (x[i] - dot(row, x.data(), i)) / row[i];
    }
    for (int i = l.rows; i-- > 0;) {
      const double* row = l.row(i);
      x[i] /= row[i];
      add_scaled(-x[i], row, x.data(), i);
    }
    smallest = 1 / std::sqrt(dot(x.data(), x.data(), l.rows));
  }
  return smallest;
}

std::optional<Factor> cholesky(const Matrix& m, ThreadPool& pool) {
  const double floor = pivot_floor(m);
  Factor out{m, true};
  Matrix& a = out.f;
  for (int first = 0; first < a.rows; first += kPanel) {
    const int size = std::min(kPanel, a.rows - first), below = first + size;
    if (!factor_block(a, first, size, floor)) return {};
    if (below == a.rows) break;
    solve_below(a, first, size, pool);
    const double* panel = a.row(below) + first;
    add_product({panel, a.cols, 1}, {panel, 1, a.cols}, a.rows - below, a.rows - below, size, -1,
                a.row(below) + below, a.cols, pool, {.symmetric = true});
  }
  for (int i = 0; i < a.rows; ++i) std::fill(a.row(i) + i + 1, a.row(i) + a.cols, 0.0);
  if (!(smallest_eigenvalue(a) > floor)) return {};
  return out;
}

// The largest remaining variance and the most negative one, which tells how large noise is.
struct Remaining {
  int pivot = 0;
  double largest = 0, lowest = 0;
};

Remaining remaining(const Matrix& a, const std::vector<bool>& used) {
  Remaining r;
  for (int i = 0; i < a.rows; ++i) {
    if (used[i]) continue;
    if (a.at(i, i) > r.largest) r = {i, a.at(i, i), r.lowest};
    r.lowest = std::min(r.lowest, a.at(i, i));
  }
  return r;
}

// a -= column column^T. Rows are shared out; every element is computed alone.
void remove_column(Matrix& a, const std::vector<double>& column, ThreadPool& pool) {
  constexpr int kRows = 64;
  pool.run((a.rows + kRows - 1) / kRows, [&](int task, int) {
    const int end = std::min((task + 1) * kRows, a.rows);
    for (int i = task * kRows; i < end; ++i) {
      if (column[i] == 0) continue;
      double* row = a.row(i);
      for (int j = 0; j < a.cols; ++j) row[j] -= column[i] * column[j];
    }
  });
}

void check_residual(const Matrix& a, double scale, const std::string& name) {
  double worst = 0;
  for (const double v : a.values) worst = std::max(worst, std::abs(v));
  if (!(worst > kIndefinite * scale)) return;
  throw Error(ExitCode::bad_input,
              "[metrics] {}: the covariance has negative eigenvalues (residual {:.3g} beside "
              "variances up to {:.3g}), expected a covariance; try to make the statistics again",
              name, worst, scale);
}

Factor pivoted(const Matrix& m, const std::string& name, ThreadPool& pool) {
  const double floor = pivot_floor(m), scale = largest_variance(m);
  Matrix a = m;
  std::vector<bool> used(a.rows);
  std::vector<std::vector<double>> columns;
  while (static_cast<int>(columns.size()) < a.rows) {
    const Remaining r = remaining(a, used);
    if (!(r.largest > std::max(floor, -100 * r.lowest))) break;
    std::vector<double> column(a.rows);
    const double root = std::sqrt(r.largest);
    for (int i = 0; i < a.rows; ++i) column[i] = used[i] ? 0 : a.at(r.pivot, i) / root;
    remove_column(a, column, pool);
    used[r.pivot] = true;
    for (int i = 0; i < a.rows; ++i) a.at(i, r.pivot) = a.at(r.pivot, i) = 0;
    columns.push_back(std::move(column));
  }
  check_residual(a, scale, name);
  Factor out{Matrix(m.rows, static_cast<int>(columns.size())), false};
  for (int j = 0; j < out.rank(); ++j) {
    for (int i = 0; i < m.rows; ++i) out.f.at(i, j) = columns[j][i];
  }
  return out;
}

Matrix projected(const Factor& factor, const Matrix& s, ThreadPool& pool) {
  const int d = s.rows, r = factor.rank();
  Matrix right(d, r), out(r, r);
  add_product(view(s), view(factor.f), d, r, d, 1, right.row(0), r, pool,
              {.b_lower = factor.lower});
  add_product(transposed(factor.f), view(right), r, r, d, 1, out.row(0), r, pool,
              {.symmetric = true, .a_upper = factor.lower});
  mirror(out);
  return out;
}

}  // namespace

Factor factor(const Matrix& covariance, const std::string& name, ThreadPool& pool) {
  if (auto full = cholesky(covariance, pool)) return std::move(*full);
  return pivoted(covariance, name, pool);
}

Projection project(const Matrix& a, const Matrix& b, const Factor& of_b, ThreadPool& pool) {
  Factor of_a = factor(a, "fid", pool);
  // Which of two equal ranks is factored must not depend on the order of the arguments.
  const bool first = of_a.rank() != of_b.rank() ? of_a.rank() < of_b.rank() : a.values < b.values;
  Projection p{first ? of_a : of_b, first, {}};
  p.matrix = projected(p.factor, first ? b : a, pool);
  return p;
}

Projection project(const Matrix& a, const Matrix& b, ThreadPool& pool) {
  return project(a, b, factor(b, "fid", pool), pool);
}

}  // namespace ddpm
