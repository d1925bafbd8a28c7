#include "ddpm/metrics/tridiagonal.h"

#include <algorithm>
#include <cmath>

#include "ddpm/metrics/vector_sums.h"

namespace ddpm {
namespace {

constexpr int kPanel = 32;

class Reduction {
 public:
  Reduction(Matrix symmetric, ThreadPool& pool)
      : n_(symmetric.rows),
        a_(std::move(symmetric)),
        panel_(3 * kPanel, n_),
        parts_(kMostParts, n_),
        column_(n_),
        pool_(pool) {
    out_.diagonal.resize(n_);
    out_.beside.resize(std::max(n_ - 1, 0));
  }

  Tridiagonal run() {
    for (int first = 0; first < n_; first += kPanel) {
      const int size = std::min(kPanel, n_ - first);
      for (int k = 0; k < size; ++k) reduce_column(first + k, k);
      if (first + size < n_) update(first + size);
    }
    return std::move(out_);
  }

 private:
  static constexpr int kMostParts = 16;

  double* v(int k) { return panel_.row(k); }
  double* w(int k) { return panel_.row(kPanel + k); }

  // Column i of the matrix from i on, with the k reflections of the panel so far; the next
  // reflection I - tau v v^T makes all but two of its elements 0.
  void reduce_column(int i, int k) {
    const int rest = n_ - i;
    double* const column = column_.data();
    for (int j = i; j < n_; ++j) column[j] = a_.at(j, i);
    for (int p = 0; p < k; ++p) {
      add_scaled(-w(p)[i], v(p) + i, column + i, rest);
      add_scaled(-v(p)[i], w(p) + i, column + i, rest);
    }
    out_.diagonal[i] = column[i];
    if (rest == 1) return;
    const double tau = reflection(i + 1, k);
    reflect(i + 1, k, tau);
    std::copy_n(v(k), n_, panel_.row(2 * kPanel + k));
  }

  // v_k, 1 at `at` and 0 before, from the column; tau.
  double reflection(int at, int k) {
    const double* const column = column_.data();
    const int rest = n_ - at;
    const double below = dot(column + at + 1, column + at + 1, rest - 1);
    const double norm = std::sqrt(std::fma(column[at], column[at], below));
    const double beta = column[at] > 0 ? -norm : norm;
    out_.beside[at - 1] = below == 0 ? column[at] : beta;
    std::fill_n(v(k), n_, 0.0);
    v(k)[at] = 1;
    if (below == 0) return 0;
    for (int j = at + 1; j < n_; ++j) v(k)[j] = column[j] / (column[at] - beta);
    return (beta - column[at]) / beta;
  }

  // w_k = p - tau / 2 (p . v) v with p = tau A v, A the rest of the matrix from `at` on: the rest
  // becomes A - v w^T - w v^T.
  void reflect(int at, int k, double tau) {
    const int rest = n_ - at;
    double* const p = w(k);
    std::fill_n(p, n_, 0.0);
    if (tau == 0) return;
    multiply(at, v(k) + at, p + at);
    for (int q = 0; q < k; ++q) {
      const double by_w = dot(w(q) + at, v(k) + at, rest), by_v = dot(v(q) + at, v(k) + at, rest);
      add_scaled(-by_w, v(q) + at, p + at, rest);
      add_scaled(-by_v, w(q) + at, p + at, rest);
    }
    for (int j = at; j < n_; ++j) p[j] *= tau;
    add_scaled(-tau / 2 * dot(p + at, v(k) + at, rest), v(k) + at, p + at, rest);
  }

  // y += A x, A the matrix from `at` on as the last panel left it. The rows are shared out in parts
  // of about as many elements, by size alone, and the parts' sums added in order.
  void multiply(int at, const double* x, double* y) {
    constexpr int kLeastRows = 128;
    const int rest = n_ - at, parts = std::clamp(rest / kLeastRows, 1, kMostParts);
    const auto begin = [&](int part) {
      return part == parts ? rest : static_cast<int>(rest * std::sqrt(1.0 * part / parts)) / 4 * 4;
    };
    pool_.run(parts, [&](int part, int) {
      double* const sums = parts_.row(part);
      std::fill_n(sums, begin(part + 1), 0.0);
      add_symmetric({a_.row(at) + at, n_, begin(part), begin(part + 1)}, x, sums);
    });
    for (int part = 0; part < parts; ++part) {
      add_scaled(1, parts_.row(part), y, begin(part + 1));
    }
  }

  // The panel's reflections, applied to what comes after it: (v w) (w v)^T is taken off.
  void update(int first) {
    const int rest = n_ - first;
    add_product({v(0) + first, 1, n_}, {w(0) + first, n_, 1}, rest, rest, 2 * kPanel, -1,
                a_.row(first) + first, n_, pool_, {.symmetric = true});
  }

  int n_;
  Matrix a_;
  Matrix panel_;  // rows: its v, its w and its v again
  Matrix parts_;
  std::vector<double> column_;
  ThreadPool& pool_;
  Tridiagonal out_;
};

}  // namespace

Tridiagonal tridiagonal(Matrix symmetric, ThreadPool& pool) {
  return Reduction(std::move(symmetric), pool).run();
}

}  // namespace ddpm
