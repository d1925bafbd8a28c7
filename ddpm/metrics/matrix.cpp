#include "ddpm/metrics/matrix.h"

#include <algorithm>

#include "ddpm/base/cache_lines.h"
#include "ddpm/metrics/matrix_tile.h"

namespace ddpm {

MatrixView view(const Matrix& m) { return {m.values.data(), m.cols, 1}; }
MatrixView transposed(const Matrix& m) { return {m.values.data(), 1, m.cols}; }

void add_product(MatrixView a, MatrixView b, int m, int n, int inner, double scale, double* c,
                 std::ptrdiff_t stride, ThreadPool& pool, ProductForm form) {
  const int down = (m + kTile - 1) / kTile, right = (n + kTile - 1) / kTile;
  std::vector<LineVector<double>> scratch(pool.threads(), LineVector<double>(tile_scratch(m, n)));
  pool.run(down * right, [&](int task, int worker) {
    const int i = task / right * kTile, j = task % right * kTile;
    if (form.symmetric && j > i) return;
    // A chain may begin where its factors cease to be 0: adding 0 changes nothing.
    const int first = std::max(form.a_upper ? i : 0, form.b_lower ? j : 0);
    tile_product(Tile<double>{.a = {a.data + i * a.down, a.down, a.right},
                              .b = {b.data + j * b.right, b.down, b.right},
                              .m = std::min(kTile, m - i),
                              .n = std::min(kTile, n - j),
                              .first = std::min(first, inner),
                              .last = inner,
                              .scale = scale,
                              .c = c + i * stride + j,
                              .stride = stride},
                 scratch[worker].data());
  });
}

void mirror(Matrix& m) {
  for (int i = 0; i < m.rows; ++i) {
    for (int j = 0; j < i; ++j) m.at(j, i) = m.at(i, j);
  }
}

}  // namespace ddpm
