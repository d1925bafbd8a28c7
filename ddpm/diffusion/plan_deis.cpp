// DEIS (Zhang & Chen 2022, arXiv:2204.13902), "log-rho Adams-Bashforth": eps is a polynomial in log
// rho through its last values, and d(x / signal) = eps d rho is integrated exactly.
#include <algorithm>
#include <cmath>

#include "ddpm/base/exact.h"
#include "ddpm/diffusion/plan_phi.h"
#include "ddpm/diffusion/plan_request.h"

namespace ddpm {
namespace {

// Integral of e^v v^p from 0 to H.
double moment(int p, double H) {
  double factorial = 1, power = H;
  for (int k = 1; k <= p; ++k) {
    factorial *= k;
    power *= H;
  }
  return power * exact::exp(H) * factorial * phi(p + 1, -H);
}

Update step(const Grid& at, std::size_t i, int order) {
  const Level &from = at.at(i), &to = at.at(i + 1);
  const double H = exact::log(to.rho / from.rho);
  std::vector<double> nodes;  // log rho of the calls, from that of level i
  for (int k = 0; k < order; ++k) nodes.push_back(exact::log(at.at(i - k).rho / from.rho));
  Update update{.dst = Reg::x, .terms = {{Reg::x, to.signal / from.signal}}};
  for (std::size_t k = 0; k < nodes.size(); ++k) {
    double integral = 0;
    const std::vector<double> c = lagrange(nodes, k);
    for (std::size_t p = 0; p < c.size(); ++p) integral += c[p] * moment(static_cast<int>(p), H);
    update.terms.push_back({kEps[k], to.signal * from.rho * integral});
  }
  return update;
}

}  // namespace

Plan make_deis(const Request& r) {
  const int most = r.whole("order", 2, 1, 3);
  const bool lower = r.yes("lower_order_final", true);
  const Grid grid = make_grid(r, TimeRule::lambda, 20);
  const std::size_t calls = grid.points.size();
  Plan plan;
  for (std::size_t i = 0; i < calls; ++i) {
    plan.push_back(call_at(r.levels, grid.points[i], r.view));
    int order = std::min(most, static_cast<int>(i) + 1);
    if (lower && calls < 15) order = std::min(order, static_cast<int>(calls - i));
    if (grid.at(i + 1).rho == 0) {
      plan.back().updates.push_back({.dst = Reg::x, .terms = {{Reg::x0, 1}}});
    } else if (grid.at(i + 1).rho < grid.at(i).rho) {
      plan.back().updates.push_back(step(grid, i, order));
    }
  }
  return plan;
}

}  // namespace ddpm
