#include "ddpm/metrics/matrix.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cmath>

#include "ddpm/base/cache_lines.h"
#include "ddpm/base/error.h"
#include "ddpm/metrics/formula_for_test.h"
#include "ddpm/metrics/matrix_tile.h"

namespace ddpm {
namespace {

Matrix filled(int rows, int cols, std::uint32_t seed) {
  Matrix m(rows, cols);
  for (std::size_t i = 0; i < m.values.size(); ++i) {
    m.values[i] =
        formula_value(seed, static_cast<std::uint32_t>(i)) + 1e-9 * static_cast<double>(i);
  }
  return m;
}

// The definition: one fma chain in increasing k.
double chain(const Matrix& a, const Matrix& b, int i, int j, double scale, double start) {
  for (int k = 0; k < a.cols; ++k) start = std::fma(scale * a.at(i, k), b.at(k, j), start);
  return start;
}

// Sizes around the blocks of every instruction set, the tile (384) and the packed length (256).
RC_GTEST_PROP(Product, IsOneChainAnElementForAnyThreads, ()) {
  const int m = *rc::gen::inRange(1, 410), n = *rc::gen::inRange(1, 410);
  const int inner = *rc::gen::inRange(1, 270), threads = *rc::gen::inRange(1, 4);
  const double scale = *rc::gen::element(1.0, -1.0);
  const Matrix a = filled(m, inner, 1), b = filled(inner, n, 2);
  Matrix c = filled(m, n, 3);
  const Matrix start = c;
  ThreadPool pool(threads);
  add_product(view(a), view(b), m, n, inner, scale, c.row(0), n, pool);
  for (int i = 0; i < m; i += 1 + m / 7) {
    for (int j = 0; j < n; ++j) RC_ASSERT(c.at(i, j) == chain(a, b, i, j, scale, start.at(i, j)));
  }
}

// Rows packed in parts, tiles that begin within them; k beyond what is packed at once (256).
RC_GTEST_PROP(PackedProduct, IsOneChainAnElement, ()) {
  const int rows = *rc::gen::inRange(1, 210), dims = *rc::gen::inRange(1, 530);
  const Matrix x = filled(rows, dims, 4);
  LineVector<double> left(packed_size(rows, dims)), right(packed_size(rows, dims));
  for (int first = 0; first < rows; first += kPackedRows) {
    pack_rows(Packing<double>{x.row(first), first, std::min(kPackedRows, rows - first), rows, dims,
                              left.data(), right.data()});
  }
  const PackedRows<double> packed{left.data(), right.data(), rows, dims};
  const int parts = (rows + kPackedRows - 1) / kPackedRows;
  const int i = *rc::gen::inRange(0, parts) * kPackedRows;
  const int j = *rc::gen::inRange(0, parts) * kPackedRows;
  const int m = *rc::gen::inRange(1, rows - i + 1), n = *rc::gen::inRange(1, rows - j + 1);
  Matrix c = filled(m, n, 5);
  const Matrix start = c;
  packed_product(PackedTile<double>{packed, packed, i, j, m, n, c.row(0), n});
  for (int r = 0; r < m; r += 1 + m / 7) {
    for (int s = 0; s < n; ++s) {
      double want = start.at(r, s);
      for (int k = 0; k < dims; ++k) want = std::fma(x.at(i + r, k), x.at(j + s, k), want);
      RC_ASSERT(c.at(r, s) == want);
    }
  }
}

TEST(Product, ReadsTransposedMatrices) {
  const Matrix a = filled(30, 50, 1), b = filled(20, 50, 2);
  Matrix at(50, 30), c(30, 20), d(30, 20);
  for (int i = 0; i < 30; ++i) {
    for (int k = 0; k < 50; ++k) at.at(k, i) = a.at(i, k);
  }
  ThreadPool pool(1);
  add_product(view(a), transposed(b), 30, 20, 50, 1, c.row(0), 20, pool);
  add_product(transposed(at), transposed(b), 30, 20, 50, 1, d.row(0), 20, pool);
  EXPECT_EQ(c, d);
  EXPECT_NEAR(
      c.at(3, 4),
      [&] {
        double sum = 0;
        for (int k = 0; k < 50; ++k) sum += a.at(3, k) * b.at(4, k);
        return sum;
      }(),
      1e-13);  // 50 roundings of terms up to 1
}

TEST(Product, LeavesOutWhatTheFormSaysIsZero) {
  constexpr int kSize = 800;  // three tiles
  Matrix lower = filled(kSize, kSize, 1);
  for (int i = 0; i < kSize; ++i) {
    for (int j = i + 1; j < kSize; ++j) lower.at(i, j) = 0;
  }
  const Matrix full = filled(kSize, kSize, 2);
  Matrix a(kSize, kSize), b(kSize, kSize), c(kSize, kSize), d(kSize, kSize);
  ThreadPool pool(2);
  const auto product = [&](MatrixView x, MatrixView y, Matrix& out, ProductForm form) {
    add_product(x, y, kSize, kSize, kSize, 1, out.row(0), kSize, pool, form);
  };
  product(view(full), view(lower), a, {});
  product(view(full), view(lower), b, {.b_lower = true});
  EXPECT_EQ(a, b);
  product(transposed(lower), view(lower), c, {});
  product(transposed(lower), view(lower), d, {.symmetric = true, .a_upper = true, .b_lower = true});
  mirror(d);
  EXPECT_EQ(c, d);
}

}  // namespace
}  // namespace ddpm
