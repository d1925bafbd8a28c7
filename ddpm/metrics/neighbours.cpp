#include "ddpm/metrics/neighbours.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>

#include "ddpm/base/error.h"
#include "ddpm/metrics/matrix_tile.h"

namespace ddpm {
namespace {

constexpr double kFar = std::numeric_limits<double>::infinity();

// Round to float16, halves to even; beyond 65519 is infinite.
double to_half(double x) {
  const double size = std::abs(x);
  if (!(size < 65520)) return std::copysign(kFar, x);
  int exponent;
  std::frexp(size, &exponent);
  const double unit = std::ldexp(1.0, std::max(exponent - 11, -24));
  return std::rint(x / unit) * unit;
}

double rounded(double x, DistanceType type) {
  if (type == DistanceType::float64) return x;
  const double single = static_cast<float>(x);
  return type == DistanceType::float32 ? single : to_half(single);
}

// Rows as doubles with their squared lengths; in float16, of rounded features.
struct Points {
  Matrix rows;
  std::vector<double> norms;
  DistanceType type;

  int size() const { return rows.rows; }
};

// u u as the tile computes u v: then the distance of equal points is exactly 0.
double chained_square(const double* u, int d) {
  double sum = 0;
  for (int j = 0; j < d; ++j) sum = std::fma(u[j], u[j], sum);
  return sum;
}

Points points_of(const Features& f, DistanceType type) {
  Points p{Matrix(f.rows(), f.dims()), std::vector<double>(f.rows()), type};
  for (int i = 0; i < f.rows(); ++i) {
    double* row = p.rows.row(i);
    f.row(i, row);
    if (type == DistanceType::float16) {
      for (int j = 0; j < f.dims(); ++j) row[j] = to_half(row[j]);
    }
    p.norms[i] = rounded(chained_square(row, f.dims()), type);
  }
  return p;
}

// Squared distance from norms and the product.
double distance(double u, double v, double product, DistanceType type) {
  if (type == DistanceType::float64) return std::max(u + v - 2 * product, 0.0);
  // As TensorFlow's graph and torch.cdist order it; each step rounded.
  const double twice = rounded(2 * rounded(product, type), type);
  return std::max(rounded(rounded(u - twice, type) + v, type), 0.0);
}

// Calls body(row of a, first column, columns, squared distances) for each strip of a row, all
// strips of one row by one thread and in order.
template <class Body>
void for_distances(const Points& a, const Points& b, ThreadPool& pool, Body&& body) {
  const int d = a.rows.cols;
  std::vector<std::vector<double>> scratch(
      pool.threads(), std::vector<double>(tile_scratch() + std::size_t{kTile} * kTile));
  pool.run((a.size() + kTile - 1) / kTile, [&](int task, int worker) {
    const int i = task * kTile, m = std::min(kTile, a.size() - i);
    double* const out = scratch[worker].data() + tile_scratch();
    for (int j = 0; j < b.size(); j += kTile) {
      const int n = std::min(kTile, b.size() - j);
      std::fill_n(out, std::size_t{kTile} * kTile, 0.0);
      tile_product({.a = {a.rows.row(i), d, 1},
                    .b = {b.rows.row(j), 1, d},
                    .m = m,
                    .n = n,
                    .last = d,
                    .c = out,
                    .stride = kTile},
                   scratch[worker].data());
      for (int r = 0; r < m; ++r) {
        double* row = out + std::size_t{1} * r * kTile;
        for (int c = 0; c < n; ++c) {
          row[c] = distance(a.norms[i + r], b.norms[j + c], row[c], a.type);
        }
        body(i + r, j, n, row);
      }
    }
  });
}

bool all_finite(const Points& a, const Points& b, ThreadPool& pool) {
  std::atomic<bool> finite{true};
  for_distances(a, b, pool, [&](int, int, int n, const double* row) {
    if (!std::all_of(row, row + n, [](double x) { return std::isfinite(x); })) finite = false;
  });
  return finite;
}

// Squared distance to the k-th neighbour: entry k of the sorted distances, entry 0 being the point
// itself.
std::vector<double> radii(const Points& points, int k, ThreadPool& pool) {
  std::vector<std::vector<double>> nearest(points.size(), std::vector<double>(k + 1, kFar));
  for_distances(points, points, pool, [&](int i, int, int n, const double* row) {
    std::vector<double>& best = nearest[i];
    for (int c = 0; c < n; ++c) {
      if (!(row[c] < best.back())) continue;
      best.insert(std::upper_bound(best.begin(), best.end(), row[c]), row[c]);
      best.pop_back();
    }
  });
  std::vector<double> out;
  for (const auto& best : nearest) out.push_back(best.back());
  return out;
}

// For each point: in how many balls of the other set it lies, and how near the nearest one is.
struct Votes {
  std::vector<std::int64_t> balls;
  std::vector<double> nearest;
};

Votes votes(const Points& points, const Points& centres, const std::vector<double>& radius,
            bool strict, ThreadPool& pool) {
  Votes v{std::vector<std::int64_t>(points.size()), std::vector<double>(points.size(), kFar)};
  for_distances(points, centres, pool, [&](int i, int first, int n, const double* row) {
    for (int c = 0; c < n; ++c) {
      v.nearest[i] = std::min(v.nearest[i], row[c]);
      const double r = radius[first + c];
      if (strict ? row[c] < r : row[c] <= r) ++v.balls[i];
    }
  });
  return v;
}

// Mean of votes(i) / k over the points, with its standard error. Sums of integers: no order of
// points changes them.
template <class Count>
Share share(std::size_t count, int k, Count&& votes_of) {
  std::int64_t sum = 0, squares = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const std::int64_t v = votes_of(i);
    sum += v;
    squares += v * v;
  }
  const auto n = static_cast<double>(count);
  const double mean = static_cast<double>(sum) / n;
  const double variance = std::max(static_cast<double>(squares) / n - mean * mean, 0.0);
  return {mean / k, std::sqrt(variance / n) / k};
}

void check(const Features& generated, const Features& reference, const NeighbourOptions& o) {
  DDPM_CHECK(o.k >= 1);
  if (generated.dims() != reference.dims()) {
    throw Error(ExitCode::bad_input,
                "[metrics] precision: got {} and {} features, expected the same network for both "
                "sets",
                generated.dims(), reference.dims());
  }
  const int smallest = std::min(generated.rows(), reference.rows());
  if (smallest <= o.k) {
    throw Error(
        "[metrics] precision: got a set of {} images and k = {}, expected more than k: N is "
        "too small; try --k {}",
        smallest, o.k, std::max(smallest - 1, 1));
  }
}

std::vector<double> roots(std::vector<double> squares) {
  for (double& x : squares) x = std::sqrt(x);
  return squares;
}

}  // namespace

NeighbourScores neighbour_scores(const Features& generated, const Features& reference,
                                 const NeighbourOptions& o, ThreadPool& pool) {
  check(generated, reference, o);
  Points g = points_of(generated, o.type), r = points_of(reference, o.type);
  if (o.type == DistanceType::float16 &&
      !(all_finite(g, g, pool) && all_finite(r, r, pool) && all_finite(g, r, pool))) {
    g = points_of(generated, DistanceType::float32);
    r = points_of(reference, DistanceType::float32);
  }
  const std::vector<double> g_radius = radii(g, o.k, pool), r_radius = radii(r, o.k, pool);
  const Votes of_g = votes(g, r, r_radius, o.strict, pool);
  const Votes of_r = votes(r, g, g_radius, o.strict, pool);
  NeighbourScores s;
  s.precision = share(g.size(), 1, [&](std::size_t i) { return of_g.balls[i] > 0 ? 1 : 0; });
  s.recall = share(r.size(), 1, [&](std::size_t i) { return of_r.balls[i] > 0 ? 1 : 0; });
  s.density = share(g.size(), o.k, [&](std::size_t i) { return of_g.balls[i]; });
  s.coverage = share(r.size(), 1, [&](std::size_t i) {
    const bool in = o.strict ? of_r.nearest[i] < r_radius[i] : of_r.nearest[i] <= r_radius[i];
    return in ? 1 : 0;
  });
  s.generated_radii = roots(g_radius);
  s.reference_radii = roots(r_radius);
  return s;
}

}  // namespace ddpm
