#include "ddpm/metrics/statistics.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "ddpm/base/bytes.h"
#include "ddpm/base/error.h"

namespace ddpm {
namespace {

constexpr int kRowsAtOnce = 512;
// NumPy's covariances are symmetric to the bit; what went through float32 or text is to rounding.
constexpr double kAsymmetry = 1e-6;

std::vector<double> mean_of(const Features& f, const std::vector<int>& order) {
  std::vector<double> sum(f.dims()), row(f.dims());
  for (const int i : order) {
    f.row(i, row.data());
    for (int j = 0; j < f.dims(); ++j) sum[j] += row[j];
  }
  for (double& s : sum) s /= f.rows();
  return sum;
}

const NpyArray& array_of(const std::map<std::string, NpyArray>& arrays, const std::string& key,
                         const std::string& name) {
  const auto found = arrays.find(key);
  if (found == arrays.end()) {
    throw Error(
        ExitCode::bad_input,
        "[metrics] {}: got no `{}`, expected `mu` and `sigma` as pytorch-fid writes them; try "
        "ddpm metrics IMAGES --save-stats FILE.npz",
        name, key);
  }
  return found->second;
}

std::vector<double> finite_values(const NpyArray& array, const std::string& name,
                                  const std::string& key) {
  if (array.type == NpyType::u8 || array.type == NpyType::i32 || array.type == NpyType::i64) {
    throw Error(ExitCode::bad_input, "[metrics] {}: `{}` is {}, expected float64", name, key,
                to_string(array.type));
  }
  std::vector<double> values(array.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] = array.at(i);
    if (!std::isfinite(values[i])) {
      throw Error(ExitCode::bad_input, "[metrics] {}: `{}` has {} at position {}, expected numbers",
                  name, key, values[i], i);
    }
  }
  return values;
}

void check_covariance(const Matrix& m, const std::string& name, const std::string& key) {
  double largest = 0;
  for (int i = 0; i < m.rows; ++i) largest = std::max(largest, std::abs(m.at(i, i)));
  for (int i = 0; i < m.rows; ++i) {
    if (m.at(i, i) < 0) {
      throw Error(ExitCode::bad_input, "[metrics] {}: `{}`[{}, {}] is {}, expected variances >= 0",
                  name, key, i, i, m.at(i, i));
    }
    for (int j = 0; j < i; ++j) {
      if (std::abs(m.at(i, j) - m.at(j, i)) <= kAsymmetry * largest) continue;
      throw Error(ExitCode::bad_input,
                  "[metrics] {}: `{}`[{}, {}] is {} and [{}, {}] is {}, expected a symmetric "
                  "covariance; try to make the statistics again",
                  name, key, i, j, m.at(i, j), j, i, m.at(j, i));
    }
  }
}

std::int64_t count_of(const std::map<std::string, NpyArray>& arrays) {
  const auto n = arrays.find("n");
  return n != arrays.end() && n->second.size() == 1 && n->second.at(0) >= 0
             ? static_cast<std::int64_t>(std::min(n->second.at(0), 1e15))
             : 0;
}

}  // namespace

Statistics statistics(const Features& f, ThreadPool& pool) {
  if (f.rows() < 2) {
    throw Error(
        ExitCode::bad_input,
        "[metrics] statistics: got {} image{}, expected at least 2; try thousands for a score "
        "that means something",
        f.rows(), f.rows() == 1 ? "" : "s");
  }
  const std::vector<int> order = f.canonical_order();
  const int d = f.dims();
  Statistics s{mean_of(f, order), Matrix(d, d), f.rows()};
  Matrix block(std::min(kRowsAtOnce, f.rows()), d);
  for (int first = 0; first < f.rows(); first += kRowsAtOnce) {
    const int rows = std::min(kRowsAtOnce, f.rows() - first);
    for (int r = 0; r < rows; ++r) {
      double* row = block.row(r);
      f.row(order[first + r], row);
      for (int j = 0; j < d; ++j) row[j] -= s.mean[j];
    }
    add_product(transposed(block), view(block), d, d, rows, 1, s.covariance.row(0), d, pool,
                {.symmetric = true});
  }
  for (double& v : s.covariance.values) v /= f.rows() - 1;
  mirror(s.covariance);
  return s;
}

std::vector<double> float32_mean(const Features& f) {
  std::vector<float> sum(f.dims());
  for (int i = 0; i < f.rows(); ++i) {
    for (int j = 0; j < f.dims(); ++j) sum[j] += static_cast<float>(f.at(i, j));
  }
  std::vector<double> mean(f.dims());
  for (int j = 0; j < f.dims(); ++j) mean[j] = sum[j] / static_cast<float>(f.rows());
  return mean;
}

std::map<std::string, NpyArray> to_arrays(const Statistics& s) {
  NpyArray n{NpyType::i64, {}, {}};
  append_little_endian(n.bytes, static_cast<std::uint64_t>(s.count), 8);
  const NpyArray mean = s.float32_mean
                            ? npy_f32({s.dims()}, std::vector<float>(s.mean.begin(), s.mean.end()))
                            : npy_f64({s.dims()}, s.mean);
  return {{"mu", mean},
          {"sigma", npy_f64({s.dims(), s.dims()}, s.covariance.values)},
          {"n", std::move(n)}};
}

std::optional<Statistics> from_arrays(const std::map<std::string, NpyArray>& arrays,
                                      const std::string& name, const std::string& suffix) {
  const std::string mu_key = "mu" + suffix, sigma_key = "sigma" + suffix;
  if (arrays.count(mu_key) + arrays.count(sigma_key) == 0) return {};
  const NpyArray &mu = array_of(arrays, mu_key, name), &sigma = array_of(arrays, sigma_key, name);
  const std::int64_t d = mu.shape.size() == 1 ? mu.shape[0] : 0;
  if (d < 1 || d > 65536 || sigma.shape != std::vector<std::int64_t>{d, d}) {
    throw Error(
        ExitCode::bad_input,
        "[metrics] {}: `{}` has shape ({}) and `{}` ({}), expected (d) and (d, d); try to make "
        "the statistics again",
        name, mu_key, fmt::join(mu.shape, ", "), sigma_key, fmt::join(sigma.shape, ", "));
  }
  Statistics s;
  s.mean = finite_values(mu, name, mu_key);
  s.covariance.rows = s.covariance.cols = static_cast<int>(d);
  s.covariance.values = finite_values(sigma, name, sigma_key);
  check_covariance(s.covariance, name, sigma_key);
  s.count = count_of(arrays);
  s.float32_mean = mu.type == NpyType::f32;
  return s;
}

}  // namespace ddpm
