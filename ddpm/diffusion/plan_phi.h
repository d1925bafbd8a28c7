// The functions that exponential integrators are made of, and integrals of Lagrange polynomials.
#pragma once

#include <span>
#include <vector>

namespace ddpm {

/// phi_k(z): phi_0 = e^z, phi_{k+1} = (phi_k - 1 / k!) / z, without cancellation near z = 0 (where
/// phi_k = 1 / k!). k in 0..5.
double phi(int k, double z);

/// Coefficients, by rising power, of the polynomial that is 1 at nodes[which] and 0 at the others.
std::vector<double> lagrange(std::span<const double> nodes, std::size_t which);

/// x with matrix x = right; the matrix is square, row by row, and small. Partial pivoting.
std::vector<double> solve(std::vector<double> matrix, std::vector<double> right);

}  // namespace ddpm
