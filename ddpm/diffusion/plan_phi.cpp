#include "ddpm/diffusion/plan_phi.h"

#include <cmath>
#include <utility>

#include "ddpm/base/error.h"
#include "ddpm/base/exact.h"

namespace ddpm {
namespace {

constexpr double kFactorial[] = {1, 1, 2, 6, 24, 120};

// sum_j z^j / (j + k)!, |z| <= 1: twenty terms reach 1e-19.
double phi_series(int k, double z) {
  double term = 1 / kFactorial[k], sum = 0;
  for (int j = 1; j <= 20; ++j) {
    sum += term;
    term *= z / (j + k);
  }
  return sum;
}

}  // namespace

double phi(int k, double z) {
  DDPM_CHECK(0 <= k && k <= 5, "k = {}", k);
  if (std::abs(z) <= 1) return phi_series(k, z);
  double value = exact::exp(z);
  for (int j = 0; j < k; ++j) value = (value - 1 / kFactorial[j]) / z;
  return value;
}

std::vector<double> lagrange(std::span<const double> nodes, std::size_t which) {
  std::vector<double> c = {1};
  for (std::size_t j = 0; j < nodes.size(); ++j) {
    if (j == which) continue;
    const double gap = nodes[which] - nodes[j];  // times (v - nodes[j]) / gap
    std::vector<double> product(c.size() + 1, 0.0);
    for (std::size_t p = 0; p < c.size(); ++p) {
      product[p + 1] += c[p] / gap;
      product[p] -= c[p] * nodes[j] / gap;
    }
    c = std::move(product);
  }
  return c;
}

std::vector<double> solve(std::vector<double> matrix, std::vector<double> right) {
  const std::size_t n = right.size();
  const auto at = [&](std::size_t i, std::size_t j) -> double& { return matrix[i * n + j]; };
  for (std::size_t k = 0; k < n; ++k) {
    std::size_t pivot = k;
    for (std::size_t i = k + 1; i < n; ++i) {
      if (std::abs(at(i, k)) > std::abs(at(pivot, k))) pivot = i;
    }
    for (std::size_t j = 0; j < n; ++j) std::swap(at(k, j), at(pivot, j));
    std::swap(right[k], right[pivot]);
    for (std::size_t i = k + 1; i < n; ++i) {
      const double factor = at(i, k) / at(k, k);
      for (std::size_t j = k; j < n; ++j) at(i, j) -= factor * at(k, j);
      right[i] -= factor * right[k];
    }
  }
  for (std::size_t k = n; k-- > 0;) {
    for (std::size_t j = k + 1; j < n; ++j) right[k] -= at(k, j) * right[j];
    right[k] /= at(k, k);
  }
  return right;
}

}  // namespace ddpm
