// Samplers of Karras et al. 2022 ("EDM", arXiv:2206.00364) and k-diffusion. Their state is x /
// signal = x0 + rho eps, and the ODE is d(x / signal) / d rho = eps.
#include <algorithm>
#include <cmath>
#include <limits>

#include "ddpm/base/error.h"
#include "ddpm/diffusion/plan_phi.h"
#include "ddpm/diffusion/plan_request.h"

namespace ddpm {
namespace {

// EDM, Algorithm 2, lines 4-6: noise is added before a step, from rho to rho (1 + gamma).
struct Churn {
  double churn, low, high, noise, calls;

  double gamma(double rho) const {
    return low <= rho && rho <= high ? std::min(churn / calls, std::sqrt(2.0) - 1) : 0;
  }
  double added(double rho) const {
    const double up = rho * (1 + gamma(rho));
    return noise * std::sqrt((up - rho) * (up + rho));
  }
};

Churn churn_of(const Request& r, std::size_t calls) {
  constexpr double kMax = std::numeric_limits<double>::max();
  return {r.number("churn", 0, 0, kMax), r.number("churn_min", 0, 0, kMax),
          r.number("churn_max", kMax, 0, kMax), r.number("noise", 1, 0, kMax),
          static_cast<double>(calls)};
}

Update euler_update(double from, double to, Reg base = Reg::x) {
  return {.dst = Reg::x, .terms = {{base, 1}, {Reg::eps, to - from}}};
}

// diffusers' Euler calls the network before it adds the churn's noise, at the old rho, and then
// reads x0 from the noisier state; written out in x, the output and z.
Row compat_churn(const Request& r, const Level& at, double to, const Churn& churn) {
  Row row = call_at(r.levels, at, r.view, State::ve);
  const double up = at.rho * (1 + churn.gamma(at.rho)), dt = to - up;
  const bool of_eps = r.view.prediction == Prediction::eps;
  const double r_x = of_eps ? 1 : row.r_x, r_out = of_eps ? -up : row.r_out;
  row.e_x = row.e_x0 = 0;
  row.e_out = 1;  // the register holds the raw output
  const double keep = 1 + (1 - r_x) * dt / up;
  row.updates = {{.dst = Reg::x,
                  .terms = {{Reg::x, keep}, {Reg::eps, -r_out * dt / up}},
                  .c_z = keep * churn.added(at.rho)}};
  return row;
}

// Appends the churn before point i, if any, and the call after it; returns the level of the call.
Level churned_call(const Request& r, const Level& at, const Churn& churn, Plan& plan) {
  Level level = at;
  if (churn.gamma(at.rho) > 0) {
    Row row;
    row.updates = {{.dst = Reg::x, .terms = {{Reg::x, 1}}, .c_z = churn.added(at.rho)}};
    plan.push_back(row);
    level = r.levels.at_rho(at.rho * (1 + churn.gamma(at.rho)));
  }
  plan.push_back(call_at(r.levels, level, r.view, State::ve));
  return level;
}

// EDM writes x0 itself for a last step to rho = 0: the same as Euler's.
Update final_update() { return {.dst = Reg::x, .terms = {{Reg::x0, 1}}}; }

}  // namespace

Plan make_euler(const Request& r) {
  const Grid grid = make_grid(r, TimeRule::sigma, 20);
  const Churn churn = churn_of(r, grid.points.size());
  Plan plan;
  plan.initial_scale = grid.initial_scale;
  for (std::size_t i = 0; i < grid.points.size(); ++i) {
    const double to = grid.at(i + 1).rho;
    if (r.compat && churn.gamma(grid.points[i].rho) > 0) {
      plan.push_back(compat_churn(r, grid.points[i], to, churn));
      continue;
    }
    const Level at = churned_call(r, grid.points[i], churn, plan);
    plan.back().updates.push_back(to == 0 ? final_update() : euler_update(at.rho, to));
  }
  return plan;
}

Plan make_heun(const Request& r) {
  const Grid grid = make_grid(r, TimeRule::sigma, 20);
  const Churn churn = churn_of(r, grid.points.size());
  Plan plan;
  plan.initial_scale = grid.initial_scale;
  for (std::size_t i = 0; i < grid.points.size(); ++i) {
    const Level at = churned_call(r, grid.points[i], churn, plan);
    const Level& to = grid.at(i + 1);
    if (to.rho == 0) {
      plan.back().updates.push_back(final_update());
      continue;
    }
    const double dt = to.rho - at.rho;
    plan.back().updates = {{.dst = Reg::s0, .terms = {{Reg::x, 1}}}, euler_update(at.rho, to.rho)};
    plan.push_back(call_at(r.levels, to, r.view, State::ve));
    plan.back().updates = {
        {.dst = Reg::x, .terms = {{Reg::s0, 1}, {Reg::eps_1, dt / 2}, {Reg::eps, dt / 2}}}};
  }
  return plan;
}

// k-diffusion: a step down to `down`, then noise up to the next rho.
Plan make_euler_a(const Request& r) {
  const double eta = r.number("eta", 1, 0, 1);
  const Grid grid = make_grid(r, TimeRule::sigma, 20);
  Plan plan;
  plan.initial_scale = grid.initial_scale;
  for (std::size_t i = 0; i < grid.points.size(); ++i) {
    const double from = grid.points[i].rho, to = grid.at(i + 1).rho;
    plan.push_back(call_at(r.levels, grid.points[i], r.view, State::ve));
    if (to == 0) {
      plan.back().updates.push_back(final_update());
      continue;
    }
    const double ratio = to / from;
    const double up = eta * to * std::sqrt((1 - ratio) * (1 + ratio));
    const double down = std::sqrt((to - up) * (to + up));
    Update update = euler_update(from, down);
    update.c_z = up;
    plan.back().updates.push_back(update);
  }
  return plan;
}

// Linear multistep: eps is a polynomial in rho through its last values.
Plan make_lms(const Request& r) {
  const int most = r.whole("order", 4, 1, 4);
  const Grid grid = make_grid(r, TimeRule::sigma, 20);
  Plan plan;
  plan.initial_scale = grid.initial_scale;
  for (std::size_t i = 0; i < grid.points.size(); ++i) {
    plan.push_back(call_at(r.levels, grid.points[i], r.view, State::ve));
    Update update{.dst = Reg::x, .terms = {{Reg::x, 1}}};
    std::vector<double> nodes;
    for (std::size_t k = 0; k <= i && k < static_cast<std::size_t>(most); ++k) {
      nodes.push_back(grid.points[i - k].rho - grid.points[i].rho);
    }
    const double end = grid.at(i + 1).rho - grid.points[i].rho;
    for (std::size_t k = 0; k < nodes.size(); ++k) {
      const std::vector<double> c = lagrange(nodes, k);
      double integral = 0, power = 1;
      for (std::size_t p = 0; p < c.size(); ++p) {
        power *= end;
        integral += c[p] * power / static_cast<double>(p + 1);
      }
      update.terms.push_back({kEps[k], integral});
    }
    plan.back().updates.push_back(update);
  }
  return plan;
}

}  // namespace ddpm
