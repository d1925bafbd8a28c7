#include "ddpm/metrics/neighbours.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>

#include "ddpm/base/cache_lines.h"
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
  return type == DistanceType::float16 ? to_half(static_cast<float>(x)) : x;
}

// Rows with their squared lengths. T is float for float32, else double, with what is float16
// rounded to it.
template <class T>
struct Points {
  std::vector<T> rows;  // [size, dims]
  std::vector<T> norms;
  int dims;
  DistanceType type;

  int size() const { return static_cast<int>(norms.size()); }
  const T* row(int i) const { return rows.data() + std::size_t{1} * i * dims; }
};

// u u as the tile computes u v: then the distance of equal points is exactly 0.
template <class T>
T chained_square(const T* u, int d) {
  T sum = 0;
  for (int j = 0; j < d; ++j) sum = std::fma(u[j], u[j], sum);
  return sum;
}

template <class T>
Points<T> points_of(const Features& f, DistanceType type) {
  const int d = f.dims();
  Points<T> p{std::vector<T>(std::size_t{1} * f.rows() * d), std::vector<T>(f.rows()), d, type};
  std::vector<double> values(d);
  for (int i = 0; i < f.rows(); ++i) {
    f.row(i, values.data());
    T* const row = p.rows.data() + std::size_t{1} * i * d;
    for (int j = 0; j < d; ++j) row[j] = static_cast<T>(rounded(values[j], type));
    p.norms[i] = static_cast<T>(rounded(chained_square(row, d), type));
  }
  return p;
}

// Squared distance from norms and the product, as TensorFlow's graph and torch.cdist order it; each
// step rounded.
float distance(float u, float v, float product, DistanceType) {
  return std::max((u - 2 * product) + v, 0.0F);
}

double distance(double u, double v, double product, DistanceType type) {
  if (type == DistanceType::float64) return std::max(u + v - 2 * product, 0.0);
  const double twice = rounded(2 * rounded(product, type), type);
  return std::max(rounded(rounded(u - twice, type) + v, type), 0.0);
}

// A tile of products between rows i.. of a and j.. of b.
template <class T>
struct ProductTile {
  int worker, i, j, m, n;
  const T* products;  // row stride kTile

  T at(int r, int c) const { return products[std::size_t{1} * r * kTile + c]; }
};

// Calls body(tile) for each tile of a b^T, in any order and by any worker; of a a^T, of those on
// and below the diagonal alone. So nothing that a body gathers may depend on the order.
template <class T, class Body>
void for_tiles(const Points<T>& a, const Points<T>& b, ThreadPool& pool, Body&& body) {
  const int d = a.dims, down = (a.size() + kTile - 1) / kTile;
  const int right = (b.size() + kTile - 1) / kTile;
  const std::size_t area = std::size_t{kTile} * kTile, packed = tile_scratch(kTile, kTile);
  std::vector<LineVector<T>> scratch(pool.threads(), LineVector<T>(packed + area));
  pool.run(down * right, [&](int task, int worker) {
    const int i = task / right * kTile, j = task % right * kTile;
    if (&a == &b && j > i) return;
    T* const out = scratch[worker].data() + packed;
    const int m = std::min(kTile, a.size() - i), n = std::min(kTile, b.size() - j);
    std::fill_n(out, area, T{0});
    tile_product(Tile<T>{.a = {a.row(i), d, 1},
                         .b = {b.row(j), 1, d},
                         .m = m,
                         .n = n,
                         .last = d,
                         .c = out,
                         .stride = kTile},
                 scratch[worker].data());
    body(ProductTile<T>{worker, i, j, m, n, out});
  });
}

bool all_finite(const Points<double>& a, const Points<double>& b, ThreadPool& pool) {
  std::atomic<bool> finite{true};
  for_tiles(a, b, pool, [&](const ProductTile<double>& t) {
    for (int r = 0; r < t.m; ++r) {
      for (int c = 0; c < t.n; ++c) {
        const double u = a.norms[t.i + r], v = b.norms[t.j + c];
        // Rounding may tell one order from the other.
        const bool both = std::isfinite(distance(u, v, t.at(r, c), a.type)) &&
                          std::isfinite(distance(v, u, t.at(r, c), a.type));
        if (!both) finite = false;
      }
    }
  });
  return finite;
}

// The k + 1 least distances of each point, in increasing order; what other workers saw is merged.
class Nearest {
 public:
  Nearest(int points, int k) : width_(k + 1), values_(std::size_t{1} * points * width_, kFar) {}

  void add(int point, double distance) {
    double* const best = values_.data() + std::size_t{1} * point * width_;
    if (!(distance < best[width_ - 1])) return;
    int at = width_ - 1;
    for (; at > 0 && distance < best[at - 1]; --at) best[at] = best[at - 1];
    best[at] = distance;
  }
  void merge(const Nearest& other) {
    for (std::size_t i = 0; i < values_.size(); ++i) {
      add(static_cast<int>(i / width_), other.values_[i]);
    }
  }
  double of(int point, int k) const { return values_[std::size_t{1} * point * width_ + k]; }

 private:
  int width_;
  std::vector<double> values_;
};

// Squared distances to the neighbours: number k of the sorted ones, number 0 being the point
// itself.
template <class T>
Nearest nearest_of(const Points<T>& points, int k, ThreadPool& pool) {
  std::vector<Nearest> of_worker(pool.threads(), Nearest(points.size(), k));
  const std::vector<T>& norms = points.norms;
  for_tiles(points, points, pool, [&](const ProductTile<T>& t) {
    Nearest& nearest = of_worker[t.worker];
    for (int r = 0; r < t.m; ++r) {
      const int i = t.i + r;
      for (int c = 0; c < t.n; ++c) {
        nearest.add(i, distance(norms[i], norms[t.j + c], t.at(r, c), points.type));
      }
      if (t.i == t.j) continue;  // both halves of it are there
      for (int c = 0; c < t.n; ++c) {
        nearest.add(t.j + c, distance(norms[t.j + c], norms[i], t.at(r, c), points.type));
      }
    }
  });
  for (std::size_t w = 1; w < of_worker.size(); ++w) of_worker[0].merge(of_worker[w]);
  return std::move(of_worker[0]);
}

std::vector<double> radii_of(const Nearest& nearest, int points, int k) {
  std::vector<double> out;
  for (int i = 0; i < points; ++i) out.push_back(nearest.of(i, k));
  return out;
}

// For each point: in how many balls of the other set it lies, and how near the nearest centre is.
struct Votes {
  std::vector<std::int64_t> balls;
  std::vector<double> nearest;

  explicit Votes(int points) : balls(points), nearest(points, kFar) {}

  void add(int point, double distance, double radius, bool strict) {
    nearest[point] = std::min(nearest[point], distance);
    balls[point] += strict ? distance < radius : distance <= radius;
  }
  void merge(const Votes& other) {
    for (std::size_t i = 0; i < balls.size(); ++i) {
      balls[i] += other.balls[i];
      nearest[i] = std::min(nearest[i], other.nearest[i]);
    }
  }
};

// What one set of options needs, and what it gathers.
struct Ballot {
  NeighbourOptions options;
  std::vector<double> g_radius, r_radius;
  Votes of_g, of_r;

  template <class T>
  void add(const ProductTile<T>& t, const Points<T>& g, const Points<T>& r) {
    for (int row = 0; row < t.m; ++row) {
      const int i = t.i + row;
      for (int c = 0; c < t.n; ++c) {
        const int j = t.j + c;
        const T from_r = distance(r.norms[j], g.norms[i], t.at(row, c), g.type);
        // guided-diffusion rounds one distance to float16 for both votes.
        const T from_g = g.type == DistanceType::float16
                             ? from_r
                             : distance(g.norms[i], r.norms[j], t.at(row, c), g.type);
        of_g.add(i, from_g, r_radius[j], options.strict);
        of_r.add(j, from_r, g_radius[i], options.strict);
      }
    }
  }
};

template <class T>
void vote(std::vector<Ballot>& ballots, const Points<T>& g, const Points<T>& r, ThreadPool& pool) {
  std::vector<std::vector<Ballot>> of_worker(pool.threads(), ballots);
  for_tiles(g, r, pool, [&](const ProductTile<T>& t) {
    for (Ballot& ballot : of_worker[t.worker]) ballot.add(t, g, r);
  });
  for (const auto& worker : of_worker) {
    for (std::size_t i = 0; i < ballots.size(); ++i) {
      ballots[i].of_g.merge(worker[i].of_g);
      ballots[i].of_r.merge(worker[i].of_r);
    }
  }
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

void check(const Features& generated, const Features& reference, int k) {
  DDPM_CHECK(k >= 1);
  if (generated.dims() != reference.dims()) {
    throw Error(ExitCode::bad_input,
                "[metrics] precision: got {} and {} features, expected the same network for both "
                "sets",
                generated.dims(), reference.dims());
  }
  const int smallest = std::min(generated.rows(), reference.rows());
  if (smallest <= k) {
    throw Error(
        "[metrics] precision: got a set of {} images and k = {}, expected more than k: N is "
        "too small; try --k {}",
        smallest, k, std::max(smallest - 1, 1));
  }
}

std::vector<double> roots(std::vector<double> squares) {
  for (double& x : squares) x = std::sqrt(x);
  return squares;
}

NeighbourScores count(const Ballot& ballot) {
  const auto& [o, g_radius, r_radius, of_g, of_r] = ballot;
  NeighbourScores s;
  const auto any = [](std::int64_t balls) { return balls > 0 ? 1 : 0; };
  s.precision = share(g_radius.size(), 1, [&](std::size_t i) { return any(of_g.balls[i]); });
  s.recall = share(r_radius.size(), 1, [&](std::size_t i) { return any(of_r.balls[i]); });
  s.density = share(g_radius.size(), o.k, [&](std::size_t i) { return of_g.balls[i]; });
  s.coverage = share(r_radius.size(), 1, [&](std::size_t i) {
    const bool in = o.strict ? of_r.nearest[i] < r_radius[i] : of_r.nearest[i] <= r_radius[i];
    return in ? 1 : 0;
  });
  s.generated_radii = roots(g_radius);
  s.reference_radii = roots(r_radius);
  return s;
}

template <class T>
std::vector<NeighbourScores> scores_of(const Points<T>& g, const Points<T>& r,
                                       std::span<const NeighbourOptions> options,
                                       ThreadPool& pool) {
  int k = 0;
  for (const NeighbourOptions& o : options) k = std::max(k, o.k);
  const Nearest in_g = nearest_of(g, k, pool), in_r = nearest_of(r, k, pool);
  std::vector<Ballot> ballots;
  for (const NeighbourOptions& o : options) {
    ballots.push_back({o, radii_of(in_g, g.size(), o.k), radii_of(in_r, r.size(), o.k),
                       Votes(g.size()), Votes(r.size())});
  }
  vote(ballots, g, r, pool);
  std::vector<NeighbourScores> scores;
  for (const Ballot& ballot : ballots) scores.push_back(count(ballot));
  return scores;
}

}  // namespace

NeighbourScores neighbour_scores(const Features& generated, const Features& reference,
                                 const NeighbourOptions& options, ThreadPool& pool) {
  return all_neighbour_scores(generated, reference, std::span(&options, 1), pool)[0];
}

std::vector<NeighbourScores> all_neighbour_scores(const Features& generated,
                                                  const Features& reference,
                                                  std::span<const NeighbourOptions> options,
                                                  ThreadPool& pool) {
  DDPM_CHECK(!options.empty());
  DistanceType type = options[0].type;
  for (const NeighbourOptions& o : options) {
    DDPM_CHECK(o.type == type);
    check(generated, reference, o.k);
  }
  const bool doubles = generated.is_double() || reference.is_double();
  if (type == DistanceType::float32 && doubles) type = DistanceType::float64;  // as torch promotes
  if (type != DistanceType::float32) {
    const auto g = points_of<double>(generated, type), r = points_of<double>(reference, type);
    if (type == DistanceType::float64 ||
        (all_finite(g, g, pool) && all_finite(r, r, pool) && all_finite(g, r, pool))) {
      return scores_of(g, r, options, pool);
    }
  }
  return scores_of(points_of<float>(generated, DistanceType::float32),
                   points_of<float>(reference, DistanceType::float32), options, pool);
}

}  // namespace ddpm
