#include "ddpm/metrics/features.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "ddpm/base/error.h"

namespace ddpm {
namespace {

template <class T>
void check_finite(const std::vector<T>& values, int dims, const std::string& name) {
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (std::isfinite(values[i])) continue;
    throw Error(ExitCode::bad_input,
                "[metrics] {}: got {} in row {}, column {}, expected finite features; try to find "
                "what made it: a network that overflowed, or a broken image",
                name, static_cast<double>(values[i]), i / dims, i % dims);
  }
}

template <class T>
std::vector<T> pick(const std::vector<T>& values, int dims, std::span<const int> rows) {
  std::vector<T> out;
  out.reserve(rows.size() * dims);
  for (const int r : rows) {
    const auto from = values.begin() + std::ptrdiff_t{1} * r * dims;
    out.insert(out.end(), from, from + dims);
  }
  return out;
}

template <class T>
void sort_rows(const std::vector<T>& values, int dims, std::vector<int>& order) {
  const auto row = [&](int i) { return values.data() + std::size_t{1} * i * dims; };
  std::sort(order.begin(), order.end(), [&](int a, int b) {
    return std::lexicographical_compare(row(a), row(a) + dims, row(b), row(b) + dims);
  });
}

}  // namespace

Features::Features(int dims, std::vector<float> values, const std::string& name)
    : dims_(dims), floats_(std::move(values)) {
  check(name);
}

Features::Features(int dims, std::vector<double> values, const std::string& name)
    : dims_(dims), doubles_(std::move(values)) {
  check(name);
}

void Features::check(const std::string& name) {
  const std::size_t size = std::max(floats_.size(), doubles_.size());
  DDPM_CHECK(dims_ >= 1 && size % static_cast<std::size_t>(dims_) == 0, "{} of {}", size, dims_);
  const std::size_t rows = size / static_cast<std::size_t>(dims_);
  if (rows > std::numeric_limits<int>::max()) {
    throw Error(ExitCode::bad_input, "[metrics] {}: got {} rows, expected fewer than 2^31", name,
                rows);
  }
  rows_ = static_cast<int>(rows);
  check_finite(floats_, dims_, name);
  check_finite(doubles_, dims_, name);
}

double Features::at(int row, int column) const {
  const std::size_t i = std::size_t{1} * row * dims_ + column;
  return is_double() ? doubles_[i] : floats_[i];
}

void Features::row(int i, double* out) const {
  const std::size_t from = std::size_t{1} * i * dims_;
  if (is_double()) {
    std::copy_n(doubles_.begin() + static_cast<std::ptrdiff_t>(from), dims_, out);
  } else {
    std::copy_n(floats_.begin() + static_cast<std::ptrdiff_t>(from), dims_, out);
  }
}

Features Features::slice(int begin, int end) const {
  std::vector<int> rows(end - begin);
  std::iota(rows.begin(), rows.end(), begin);
  return select(rows);
}

Features Features::select(std::span<const int> rows) const {
  if (is_double()) return {dims_, pick(doubles_, dims_, rows)};
  return {dims_, pick(floats_, dims_, rows)};
}

std::vector<int> Features::canonical_order() const {
  std::vector<int> order(rows_);
  std::iota(order.begin(), order.end(), 0);
  if (is_double()) {
    sort_rows(doubles_, dims_, order);
  } else {
    sort_rows(floats_, dims_, order);
  }
  return order;
}

Features to_features(const NpyArray& array, const std::string& name) {
  const bool real =
      array.type == NpyType::f16 || array.type == NpyType::f32 || array.type == NpyType::f64;
  if (array.shape.size() != 2 || !real) {
    throw Error(
        ExitCode::bad_input,
        "[metrics] {}: got {} of shape ({}), expected features: float16, float32 or float64 "
        "of shape (images, features); try ddpm metrics IMAGES --save-features FILE.npz",
        name, to_string(array.type), fmt::join(array.shape, ", "));
  }
  if (array.shape[0] < 1 || array.shape[1] < 1 || array.shape[1] > 65536) {
    throw Error(
        ExitCode::bad_input,
        "[metrics] {}: got {} images with {} features, expected at least one of each and at "
        "most 65536 features; try to make the file anew",
        name, array.shape[0], array.shape[1]);
  }
  const auto dims = static_cast<int>(array.shape[1]);
  if (array.type == NpyType::f64) {
    std::vector<double> values(array.size());
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = array.at(i);
    return {dims, std::move(values), name};
  }
  std::vector<float> values(array.size());
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(array.at(i));
  return {dims, std::move(values), name};
}

Features concatenate(const std::vector<Features>& parts) {
  DDPM_CHECK(!parts.empty());
  const int dims = parts[0].dims();
  bool wide = false;
  for (const Features& part : parts) {
    wide = wide || part.is_double();
    if (part.dims() == dims) continue;
    throw Error(ExitCode::bad_input,
                "[metrics] shards: got {} and {} features, expected shards of one network; try to "
                "make them anew with one --features",
                dims, part.dims());
  }
  std::vector<double> doubles;
  std::vector<float> floats;
  std::vector<double> row(dims);
  for (const Features& part : parts) {
    for (int i = 0; i < part.rows(); ++i) {
      part.row(i, row.data());
      if (wide) doubles.insert(doubles.end(), row.begin(), row.end());
      if (!wide) floats.insert(floats.end(), row.begin(), row.end());
    }
  }
  if (wide) return {dims, std::move(doubles)};
  return {dims, std::move(floats)};
}

ShardRange shard_range(std::int64_t n, int index, int count) {
  if (count < 1 || index < 0 || index >= count) {
    throw Error("[metrics] shard: got {}/{}, expected 0/n to (n - 1)/n", index, count);
  }
  // floor(n * index / count) without overflow.
  const auto bound = [&](std::int64_t i) { return n / count * i + n % count * i / count; };
  return {bound(index), bound(index + 1)};
}

}  // namespace ddpm
