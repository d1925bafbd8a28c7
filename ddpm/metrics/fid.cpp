#include "ddpm/metrics/fid.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "ddpm/base/error.h"

namespace ddpm {
namespace {

double trace(const Matrix& m) {
  double sum = 0;
  for (int i = 0; i < m.rows; ++i) sum += m.at(i, i);
  return sum;
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

Root root_of(const Projection& product, ThreadPool& pool) {
  Root root{.rank = product.factor.rank()};
  for (const double e : eigenvalues(product.matrix, pool)) {
    root.trace += std::sqrt(std::max(e, 0.0));
    root.largest = std::max(root.largest, e);
  }
  return root;
}

FrechetDistance distance_of(const Statistics& a, const Statistics& b, const Root& root) {
  const int d = a.dims();
  FrechetDistance out{.traces = trace(a.covariance) + trace(b.covariance), .rank = root.rank};
  for (int i = 0; i < d; ++i) {
    const double difference = a.mean[i] - b.mean[i];
    out.mean_term += difference * difference;
  }
  out.root_trace = a.covariance == b.covariance ? out.traces / 2 : root.trace;
  const bool few = (a.count > 0 && a.count <= d) || (b.count > 0 && b.count <= d);
  if (few || root.rank < d) {
    const double noise = std::sqrt(std::numeric_limits<double>::epsilon() * root.largest);
    out.doubt = 2 * std::max(d - root.rank, 1) * noise;
  }
  return out;
}

}  // namespace

FrechetDistance frechet_distance(const Statistics& a, const Statistics& b, ThreadPool& pool) {
  check_dims(a, b);
  return distance_of(a, b, root_of(project(a.covariance, b.covariance, pool), pool));
}

FrechetDistance frechet_distance(const Statistics& a, const Statistics& b, const Factor& of_b,
                                 ThreadPool& pool) {
  check_dims(a, b);
  return distance_of(a, b, root_of(project(a.covariance, b.covariance, of_b, pool), pool));
}

double float32_mean_term(const std::vector<double>& a, const std::vector<double>& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const float difference = static_cast<float>(a[i]) - static_cast<float>(b[i]);
    sum += static_cast<double>(difference) * difference;
  }
  return static_cast<float>(sum);
}

}  // namespace ddpm
