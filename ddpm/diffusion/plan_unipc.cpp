// UniPC (Zhao et al. 2023, arXiv:2302.04867): a predictor UniP and a corrector UniC that uses the
// call at the predicted state, so that it costs none of its own.
#include <algorithm>
#include <cmath>

#include "ddpm/base/error.h"
#include "ddpm/base/exact.h"
#include "ddpm/diffusion/plan_phi.h"
#include "ddpm/diffusion/plan_request.h"

namespace ddpm {
namespace {

struct Options {
  bool bh1, data, corrector, lower_order_final;
  int order;
};

double lambda_between(const Level& from, const Level& to) { return exact::log(from.rho / to.rho); }

// What predictor and corrector of one step share, base -> target.
struct Step {
  double linear, scale, e, b_h;
  std::vector<double> r;  // (lambda of an earlier level - lambda of base) / h, then 1
  std::vector<double> b;  // h phi_{i+1} i! / B(h)
};

// `base` is the index of the level that the step starts from.
Step step_from(const Options& o, const Grid& at, std::size_t base, int order) {
  const Level &from = at.at(base), &to = at.at(base + 1);
  const double h = lambda_between(from, to), hh = o.data ? -h : h;
  Step s{.linear = o.data ? to.noise / from.noise : to.signal / from.signal,
         .scale = o.data ? to.signal : to.noise,
         .e = hh * phi(1, hh),
         .b_h = 0,
         .r = {},
         .b = {}};
  s.b_h = o.bh1 ? hh : s.e;
  for (int i = 1; i < order; ++i) s.r.push_back(lambda_between(from, at.at(base - i)) / h);
  s.r.push_back(1);
  double factorial = 1;
  for (int i = 1; i <= order; ++i) {
    factorial *= i;
    s.b.push_back(hh * phi(i + 1, hh) * factorial / s.b_h);
  }
  return s;
}

// Weights of the n differences at s.r[first..]: powers r^0..r^(n-1) must integrate exactly.
std::vector<double> weights(const Step& s, std::size_t n) {
  std::vector<double> matrix;
  for (std::size_t power = 0; power < n; ++power) {
    for (std::size_t k = 0; k < n; ++k) {
      double value = 1;
      for (std::size_t p = 0; p < power; ++p) value *= s.r[k];
      matrix.push_back(value);
    }
  }
  return solve(std::move(matrix), {s.b.begin(), s.b.begin() + static_cast<long>(n)});
}

// linear base - scale e m0 - scale B(h) sum_k w_k (m_k - m0) / r_k.
struct Sum {
  const Options& o;
  const Step& s;
  std::vector<double> of_m = std::vector<double>(4, 0.0);  // by age of the call

  void add(std::size_t age, std::size_t m0, double weight, double r) {
    of_m[age] -= s.scale * s.b_h * weight / r;
    of_m[m0] += s.scale * s.b_h * weight / r;
  }
  Update update(Reg base) const {
    Update update{.dst = Reg::x, .terms = {{base, s.linear}}};
    for (std::size_t age = 0; age < of_m.size(); ++age) {
      if (of_m[age] != 0) update.terms.push_back({o.data ? kX0[age] : kEps[age], of_m[age]});
    }
    return update;
  }
};

// From levels i to i + 1: calls of age 0 (level i), 1, ...
Update predictor(const Options& o, const Grid& at, std::size_t i, int order) {
  const Step s = step_from(o, at, i, order);
  Sum sum{o, s};
  sum.of_m[0] -= s.scale * s.e;
  const auto n = static_cast<std::size_t>(order - 1);
  const std::vector<double> w = order == 2 ? std::vector<double>{0.5} : weights(s, n);
  for (std::size_t k = 0; k < n; ++k) sum.add(k + 1, 0, w[k], s.r[k]);
  return sum.update(Reg::s0);
}

// The same step i - 1 -> i again, now that the call of age 0 is at level i, where it ends.
Update corrector(const Options& o, const Grid& at, std::size_t i, int order) {
  const Step s = step_from(o, at, i - 1, order);
  Sum sum{o, s};
  sum.of_m[1] -= s.scale * s.e;
  const auto n = static_cast<std::size_t>(order);
  const std::vector<double> w = order == 1 ? std::vector<double>{0.5} : weights(s, n);
  for (std::size_t k = 0; k + 1 < n; ++k) sum.add(k + 2, 1, w[k], s.r[k]);
  sum.add(0, 1, w[n - 1], 1);
  return sum.update(Reg::s0);
}

Options options_of(const Request& r) {
  constexpr std::string_view kTypes[] = {"bh1", "bh2"};
  constexpr std::string_view kOf[] = {"x0", "eps"};
  return {.bh1 = r.spec.choice("type", kTypes).value_or(1) == 0,
          .data = r.spec.choice("of", kOf).value_or(0) == 0,
          .corrector = r.yes("corrector", true),
          .lower_order_final = r.yes("lower_order_final", true),
          .order = r.whole("order", 2, 1, 3)};
}

int order_at(const Options& o, const Grid& grid, std::size_t i) {
  const int left = static_cast<int>(grid.points.size() - i);
  int order = std::min(o.order, static_cast<int>(i) + 1);
  if (o.lower_order_final) order = std::min(order, left);
  return order;
}

}  // namespace

Plan make_unipc(const Request& r) {
  const Options o = options_of(r);
  const Grid grid = make_grid(r, TimeRule::lambda, 20);
  Plan plan;
  for (std::size_t i = 0; i < grid.points.size(); ++i) {
    plan.push_back(call_at(r.levels, grid.points[i], r.view));
    std::vector<Update>& updates = plan.back().updates;
    if (o.corrector && i > 0) updates.push_back(corrector(o, grid, i, order_at(o, grid, i - 1)));
    updates.push_back({.dst = Reg::s0, .terms = {{Reg::x, 1}}});
    if (grid.at(i + 1).rho == 0) {
      updates.push_back({.dst = Reg::x, .terms = {{Reg::x0, 1}}});
    } else if (grid.at(i + 1).rho < grid.at(i).rho) {
      updates.push_back(predictor(o, grid, i, order_at(o, grid, i)));
    }
  }
  return plan;
}

}  // namespace ddpm
