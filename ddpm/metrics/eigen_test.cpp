#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "ddpm/metrics/factor.h"
#include "ddpm/metrics/formula_for_test.h"
#include "ddpm/metrics/tridiagonal.h"
#include "ddpm/metrics/vector_sums.h"

namespace ddpm {
namespace {

Matrix symmetric(int n, std::uint32_t seed) {
  Matrix m(n, n);
  for (int i = 0; i < n; ++i) {
    for (int j = 0; j <= i; ++j) {
      m.at(i, j) = m.at(j, i) = formula_value(seed, static_cast<std::uint32_t>(i * n + j)) - 0.5;
    }
  }
  return m;
}

double norm(const Matrix& m) {
  double sum = 0;
  for (const double v : m.values) sum += v * v;
  return std::sqrt(sum);
}

// A symmetric method's eigenvalues are those of a matrix within a few n 2^-53 of this one's norm.
void expect_eigenvalues(const Matrix& m, const std::vector<double>& want) {
  ThreadPool pool(2);
  const std::vector<double> got = eigenvalues(m, pool);
  ASSERT_EQ(got.size(), want.size());
  const double bound = 4 * m.rows * 0x1p-53 * norm(m);
  for (std::size_t i = 0; i < got.size(); ++i) EXPECT_NEAR(got[i], want[i], bound) << m.rows;
}

// [[2, 1], [1, 2]] has 1 and 3.
TEST(Eigenvalues, AreSortedAndHaveTheirVectors) {
  Matrix m(2, 2);
  m.values = {2, 1, 1, 2};
  expect_eigenvalues(m, {1, 3});
  const EigenSystem e = eigenvectors(m);
  EXPECT_NEAR(e.vectors.at(0, 1), e.vectors.at(1, 1), 1e-15);
  EXPECT_NEAR(e.vectors.at(0, 0), -e.vectors.at(1, 0), 1e-15);
}

// Sizes around panels (32), parts (128 rows) and tiles (384). Eigen's own reduction is another.
TEST(Eigenvalues, AreThoseOfAnotherReduction) {
  for (const int n : {1, 3, 5, 12, 31, 32, 33, 34, 64, 65, 150, 300, 450}) {
    const Matrix m = symmetric(n, 3);
    expect_eigenvalues(m, eigenvectors(m).values);
  }
}

// -1, 2, -1 beside the diagonal's: 2 - 2 cos(k pi / (n + 1)); rows in another order, so that there
// is something to do.
TEST(Eigenvalues, OfAChainOfSpringsAreKnown) {
  constexpr int kSize = 101;
  Matrix m(kSize, kSize);
  const auto place = [](int i) { return i * 37 % kSize; };
  for (int i = 0; i < kSize; ++i) {
    m.at(place(i), place(i)) = 2;
    if (i > 0) m.at(place(i), place(i - 1)) = m.at(place(i - 1), place(i)) = -1;
  }
  std::vector<double> want;
  for (int k = 1; k <= kSize; ++k) want.push_back(2 - 2 * std::cos(k * M_PI / (kSize + 1)));
  expect_eigenvalues(m, want);
}

TEST(Eigenvalues, OfDiagonalAndZeroMatricesAreTheirElements) {
  Matrix m(70, 70);
  expect_eigenvalues(m, std::vector<double>(70));
  std::vector<double> want;
  for (int i = 0; i < 70; ++i) want.push_back(m.at(i, i) = i * 29 % 70 - 20);
  std::ranges::sort(want);
  expect_eigenvalues(m, want);
}

TEST(Tridiagonal, KeepsTheTraceAndTheNorm) {
  ThreadPool pool(2);
  const Matrix m = symmetric(200, 5);
  const Tridiagonal t = tridiagonal(m, pool);
  double trace = 0, squares = 0;
  for (int i = 0; i < m.rows; ++i) trace += m.at(i, i);
  for (const double v : t.diagonal) squares += v * v, trace -= v;
  for (const double v : t.beside) squares += 2 * v * v;
  EXPECT_NEAR(trace, 0, 4 * 200 * 0x1p-53 * norm(m));
  EXPECT_NEAR(std::sqrt(squares), norm(m), 4 * 200 * 0x1p-53 * norm(m));
}

// Products of covariances have the fourth power of the features' scale, of which float32 allows
// much: a power of two comes through exactly.
TEST(Eigenvalues, OfVeryLargeAndSmallMatricesAreAsExact) {
  ThreadPool pool(2);
  const Matrix m = symmetric(70, 11);
  const std::vector<double> want = eigenvalues(m, pool);
  for (const int exponent : {500, -500}) {
    Matrix scaled = m;
    for (double& v : scaled.values) v = std::ldexp(v, exponent);
    const std::vector<double> got = eigenvalues(scaled, pool);
    for (std::size_t i = 0; i < got.size(); ++i) {
      EXPECT_NEAR(std::ldexp(got[i], -exponent), want[i], 4 * 70 * 0x1p-53 * norm(m));
    }
  }
}

TEST(Tridiagonal, DoesNotDependOnThreads) {
  const Matrix m = symmetric(450, 6);
  ThreadPool one(1), three(3);
  const Tridiagonal a = tridiagonal(m, one), b = tridiagonal(m, three);
  EXPECT_EQ(a.diagonal, b.diagonal);
  EXPECT_EQ(a.beside, b.beside);
}

TEST(Tridiagonal, ReadsTheLowerTriangle) {
  Matrix m = symmetric(80, 7);
  ThreadPool pool(1);
  const Tridiagonal want = tridiagonal(m, pool);
  for (int i = 0; i < m.rows; ++i) std::fill(m.row(i) + i + 1, m.row(i) + m.cols, 99.0);
  EXPECT_EQ(tridiagonal(m, pool).diagonal, want.diagonal);
}

// The order of the sums as vector_sums.h has it, whatever the vectors' width.
double ordered(const double* a, const double* b, int n) {
  double s[8] = {};
  const int whole = n / 8 * 8;
  for (int i = 0; i < whole; ++i) s[i % 8] = std::fma(a[i], b[i], s[i % 8]);
  double sum = ((s[0] + s[4]) + (s[2] + s[6])) + ((s[1] + s[5]) + (s[3] + s[7]));
  for (int i = whole; i < n; ++i) sum = std::fma(a[i], b[i], sum);
  return sum;
}

TEST(VectorSums, HaveOneOrder) {
  Matrix values = symmetric(40, 8);
  for (double& v : values.values) v /= 3;  // else products and sums are exact in any order
  for (int n = 0; n <= 40; ++n) {
    for (int r = 1; r < 40; ++r) {  // orders often agree by chance
      EXPECT_EQ(dot(values.row(0), values.row(r), n), ordered(values.row(0), values.row(r), n));
    }
    const double *a = values.row(1), *b = values.row(2);
    std::vector<double> y(b, b + 40);
    add_scaled(0.3, a, y.data(), n);
    for (int i = 0; i < 40; ++i) EXPECT_EQ(y[i], i < n ? std::fma(0.3, a[i], b[i]) : b[i]);
  }
}

TEST(VectorSums, AddWhatRowsOfASymmetricMatrixSay) {
  constexpr int kSize = 43;  // the last group of rows is not whole
  const Matrix m = symmetric(kSize, 9);
  const std::vector<double> vector = symmetric(kSize, 10).values;
  std::vector<double> y(kSize);
  add_symmetric({m.row(0), kSize, 0, 20}, vector.data(), y.data());
  add_symmetric({m.row(0), kSize, 20, kSize}, vector.data(), y.data());
  for (int i = 0; i < kSize; ++i) {
    EXPECT_NEAR(y[i], ordered(m.row(i), vector.data(), kSize), kSize * 0x1p-52) << i;
  }
}

}  // namespace
}  // namespace ddpm
