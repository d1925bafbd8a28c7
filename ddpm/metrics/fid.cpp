#include "ddpm/metrics/fid.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "ddpm/base/error.h"
#include "ddpm/base/philox.h"
#include "ddpm/metrics/factor.h"

namespace ddpm {
namespace {

double trace(const Matrix& m) {
  double sum = 0;
  for (int i = 0; i < m.rows; ++i) sum += m.at(i, i);
  return sum;
}

// F^T S F, whose eigenvalues but for zeros are those of S F F^T.
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

void check_dims(const Statistics& a, const Statistics& b) {
  if (a.dims() == b.dims()) return;
  throw Error(ExitCode::bad_input,
              "[metrics] fid: got {} and {} features, expected the same network for both sets",
              a.dims(), b.dims());
}

struct Root {
  double trace = 0;
  int rank = 0;
  double largest = 0;  // eigenvalue of the product
};

// tr sqrt(S_a S_b) from the factor of lower rank, so that the other matrix has no zero eigenvalue
// in its span: a square root would turn rounding of 1e-16 there into 1e-8. Which of two equal
// ranks is factored must not depend on the order of the arguments.
Root root_of_product(const Matrix& a, const Matrix& b, ThreadPool& pool) {
  const Factor fa = factor(a, "fid", pool), fb = factor(b, "fid", pool);
  const bool first = fa.rank() != fb.rank() ? fa.rank() < fb.rank() : a.values < b.values;
  Root root{.rank = std::min(fa.rank(), fb.rank())};
  for (const double e : eigenvalues(first ? projected(fa, b, pool) : projected(fb, a, pool))) {
    root.trace += std::sqrt(std::max(e, 0.0));
    root.largest = std::max(root.largest, e);
  }
  return root;
}

// Columns B with x^T G (G^T S G)^(-1/2) G^T x = |B^T x|^2: twice the derivative of tr sqrt(S S_g)
// by S, where S_g = G G^T.
Matrix derivative_columns(const Matrix& s, const Matrix& other, ThreadPool& pool) {
  const Factor g = factor(other, "fid", pool);
  EigenSystem e = eigenvectors(projected(g, s, pool));
  const double floor = e.values.empty() ? 0
                                        : g.rank() * std::numeric_limits<double>::epsilon() *
                                              std::max(e.values.back(), 0.0);
  for (int j = 0; j < g.rank(); ++j) {
    const double scale = e.values[j] > floor ? 1 / std::sqrt(std::sqrt(e.values[j])) : 0;
    for (int i = 0; i < g.rank(); ++i) e.vectors.at(i, j) *= scale;
  }
  Matrix columns(s.rows, g.rank());
  add_product(view(g.f), view(e.vectors), s.rows, g.rank(), g.rank(), 1, columns.row(0), g.rank(),
              pool);
  return columns;
}

// Variance of the influences of the images of one set, over N: 2 (mu - mu') x + |x|^2 - |B^T x|^2
// for a centred row x.
double influence_variance(const Features& f, const Statistics& own, const Statistics& other,
                          ThreadPool& pool) {
  const Matrix columns = derivative_columns(own.covariance, other.covariance, pool);
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
  return std::max(squares / n - mean * mean, 0.0) / n;
}

// The first `size` numbers of a shuffle of 0..n-1.
std::vector<int> random_subset(int n, int size, std::uint64_t seed, std::uint32_t step) {
  std::vector<int> all(n);
  std::iota(all.begin(), all.end(), 0);
  const NoiseKey key{.seed = seed, .purpose = Purpose::score_subset, .step = step};
  for (int i = 0; i < size; ++i) {
    const auto j = uniform_below(key, static_cast<std::uint64_t>(n - i), i);
    std::swap(all[i], all[i + static_cast<int>(j)]);
  }
  all.resize(size);
  return all;
}

// Least squares through (1 / size, distance).
void fit_line(FrechetAtInfinity& f) {
  const auto n = static_cast<double>(f.sizes.size());
  double mean_x = 0, mean_y = 0, xx = 0, xy = 0, residual = 0;
  for (std::size_t i = 0; i < f.sizes.size(); ++i) {
    mean_x += 1.0 / f.sizes[i] / n;
    mean_y += f.distances[i] / n;
  }
  for (std::size_t i = 0; i < f.sizes.size(); ++i) {
    const double x = 1.0 / f.sizes[i] - mean_x;
    xx += x * x;
    xy += x * (f.distances[i] - mean_y);
  }
  f.slope = xy / xx;
  f.value = mean_y - f.slope * mean_x;
  for (std::size_t i = 0; i < f.sizes.size(); ++i) {
    const double r = f.distances[i] - f.value - f.slope / f.sizes[i];
    residual += r * r;
  }
  f.standard_error = std::sqrt(residual / (n - 2) * (1 / n + mean_x * mean_x / xx));
}

}  // namespace

FrechetDistance frechet_distance(const Statistics& a, const Statistics& b, ThreadPool& pool) {
  check_dims(a, b);
  const int d = a.dims();
  FrechetDistance out{.traces = trace(a.covariance) + trace(b.covariance)};
  for (int i = 0; i < d; ++i) {
    const double difference = a.mean[i] - b.mean[i];
    out.mean_term += difference * difference;
  }
  const Root root = root_of_product(a.covariance, b.covariance, pool);
  out.rank = root.rank;
  out.root_trace = a.covariance == b.covariance ? out.traces / 2 : root.trace;
  const bool few = (a.count > 0 && a.count <= d) || (b.count > 0 && b.count <= d);
  if (few || root.rank < d) {
    const double noise = std::sqrt(std::numeric_limits<double>::epsilon() * root.largest);
    out.doubt = 2 * std::max(d - root.rank, 1) * noise;
  }
  return out;
}

double float32_mean_term(const std::vector<double>& a, const std::vector<double>& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const float difference = static_cast<float>(a[i]) - static_cast<float>(b[i]);
    sum += static_cast<double>(difference) * difference;
  }
  return static_cast<float>(sum);
}

double frechet_standard_error(const Features& a, const Statistics& sa, const Features& b,
                              const Statistics& sb, ThreadPool& pool) {
  check_dims(sa, sb);
  return std::sqrt(influence_variance(a, sa, sb, pool) + influence_variance(b, sb, sa, pool));
}

FrechetAtInfinity frechet_at_infinity(const Features& generated, const Statistics& reference,
                                      std::uint64_t seed, ThreadPool& pool) {
  constexpr int kPoints = 15;
  const int n = generated.rows(), smallest = std::min(5000, n / 10);
  if (n < kMinAtInfinity) {
    throw Error(ExitCode::bad_input,
                "[metrics] fid_infinity: got {} images, expected at least {}: N is too small", n,
                kMinAtInfinity);
  }
  const std::vector<int> order = generated.canonical_order();
  FrechetAtInfinity out;
  for (int p = 0; p < kPoints; ++p) {
    const int size =
        smallest + static_cast<int>(std::int64_t{1} * (n - smallest) * p / (kPoints - 1));
    auto rows = random_subset(n, size, seed, static_cast<std::uint32_t>(p));
    for (int& row : rows) row = order[row];
    const Statistics part = statistics(generated.select(rows), pool);
    out.sizes.push_back(size);
    out.distances.push_back(frechet_distance(part, reference, pool).value());
  }
  fit_line(out);
  return out;
}

}  // namespace ddpm
