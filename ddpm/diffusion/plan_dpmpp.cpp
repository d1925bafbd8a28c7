// DPM-Solver++ (Lu et al. 2022, arXiv:2211.01095) and DPM-Solver (arXiv:2206.00927): orders 1-3,
// multistep and singlestep, ODE and SDE. In log SNR time lambda = log(signal / noise) the linear
// part of the ODE is solved exactly; the network's part is a polynomial through its last values.
#include <algorithm>
#include <array>
#include <cmath>

#include "ddpm/base/error.h"
#include "ddpm/base/exact.h"
#include "ddpm/diffusion/plan_phi.h"
#include "ddpm/diffusion/plan_request.h"

namespace ddpm {
namespace {

constexpr std::string_view kAlgorithms[] = {"dpmsolver++", "sde-dpmsolver++", "dpmsolver",
                                            "sde-dpmsolver"};
enum class Algorithm { data, data_sde, noise, noise_sde };

struct Options {
  Algorithm algorithm;
  int order;
  bool heun, singlestep, lower_order_final, euler_at_final, compat;

  bool data() const { return algorithm <= Algorithm::data_sde; }
  bool sde() const { return algorithm == Algorithm::data_sde || algorithm == Algorithm::noise_sde; }
};

// x' = linear base - scale (e D0 + k1 D1 + k2 D2) + c_z z, where D0, D1, D2 are the network's value
// at the base and its derivatives there, in units of h.
struct Step {
  double h;  // lambda of the target less lambda of the base
  double linear, scale, c_z;
  double e;       // e^hh - 1
  double k1, k2;  // k1 of D1 in its second-order (heun or midpoint) form
};

double lambda_between(const Level& from, const Level& to) { return exact::log(from.rho / to.rho); }

Step step_between(const Options& o, const Level& from, const Level& to) {
  Step s{};
  const double h = lambda_between(from, to);
  s.h = h;
  const double hh = o.data() ? (o.sde() ? -2 * h : -h) : h;
  s.linear =
      o.data() ? to.noise / from.noise * (o.sde() ? exact::exp(-h) : 1) : to.signal / from.signal;
  s.scale = o.data() ? to.signal : to.noise * (o.sde() ? 2 : 1);
  s.c_z = !o.sde() ? 0 : to.noise * std::sqrt(std::abs(exact::expm1(o.data() ? -2 * h : 2 * h)));
  s.e = hh * phi(1, hh);
  s.k1 = hh * phi(2, hh);
  // diffusers' SDE has + 1/2 for - 1/2 here, which does not vanish with h.
  s.k2 = o.compat && o.sde() ? phi(2, hh) + 0.5 : hh * phi(3, hh);
  return s;
}

using Values = std::array<double, 3>;  // how much of m, m_1, m_2

Update combine(const Options& o, const Step& s, Reg base, const Values& d0, const Values& d1,
               double k1, const Values& d2, double k2) {
  Update update{.dst = Reg::x, .terms = {{base, s.linear}}, .c_z = s.c_z};
  for (std::size_t i = 0; i < 3; ++i) {
    const double c = -s.scale * (s.e * d0[i] + k1 * d1[i] + k2 * d2[i]);
    if (c != 0) update.terms.push_back({o.data() ? kX0[i] : kEps[i], c});
  }
  return update;
}

double midpoint_or_heun(const Options& o, const Step& s) { return o.heun ? s.k1 : s.e / 2; }

// From the level `at[i]` to at[i + 1] with the values at at[i], at[i - 1], ...
Update multistep(const Options& o, const Grid& at, std::size_t i, int order) {
  const Step s = step_between(o, at.at(i), at.at(i + 1));
  if (order == 1) return combine(o, s, Reg::x, {1, 0, 0}, {}, 0, {}, 0);
  const double r0 = lambda_between(at.at(i - 1), at.at(i)) / s.h;
  const Values first = {1 / r0, -1 / r0, 0};
  if (order == 2) {
    return combine(o, s, Reg::x, {1, 0, 0}, first, midpoint_or_heun(o, s), {}, 0);
  }
  const double r1 = lambda_between(at.at(i - 2), at.at(i - 1)) / s.h;
  const Values before = {0, 1 / r1, -1 / r1};
  // diffusers and the authors' code take half the second derivative here, and lose an order by it:
  // plan_laws_test.cpp.
  const double second = o.compat ? 1 : 2;
  Values d1{}, d2{};
  for (std::size_t k = 0; k < 3; ++k) {
    d1[k] = first[k] + r0 / (r0 + r1) * (first[k] - before[k]);
    d2[k] = second * (first[k] - before[k]) / (r0 + r1);
  }
  return combine(o, s, Reg::x, {1, 0, 0}, d1, s.k1, d2, s.k2);
}

// From the level at[i + 1 - order], whose state is kept in s0, to at[i + 1].
Update singlestep(const Options& o, const Grid& at, std::size_t i, int order) {
  const Level& base = at.at(i + 1 - order);
  const Step s = step_between(o, base, at.at(i + 1));
  if (order == 1) return combine(o, s, Reg::s0, {1, 0, 0}, {}, 0, {}, 0);
  const double r0 = lambda_between(base, at.at(i)) / s.h;
  if (order == 2) {
    return combine(o, s, Reg::s0, {0, 1, 0}, {1 / r0, -1 / r0, 0}, midpoint_or_heun(o, s), {}, 0);
  }
  const double r1 = lambda_between(base, at.at(i - 1)) / s.h;
  const Values near = {0, 1 / r1, -1 / r1}, far = {1 / r0, 0, -1 / r0};
  if (!o.heun) return combine(o, s, Reg::s0, {0, 0, 1}, far, s.k1, {}, 0);
  Values d1{}, d2{};
  for (std::size_t k = 0; k < 3; ++k) {
    d1[k] = (r0 * near[k] - r1 * far[k]) / (r0 - r1);
    d2[k] = 2 * (far[k] - near[k]) / (r0 - r1);
  }
  return combine(o, s, Reg::s0, {0, 0, 1}, d1, s.k1, d2, s.k2);
}

// The order of each step; few steps lower it near the end, where the values change fast.
std::vector<int> multistep_orders(const Options& o, std::size_t calls, bool to_zero) {
  std::vector<int> orders;
  const bool few = o.lower_order_final && calls < 15;
  for (std::size_t i = 0; i < calls; ++i) {
    int order = std::min(o.order, static_cast<int>(i) + 1);
    if (i + 1 == calls && (o.euler_at_final || few || to_zero)) order = 1;
    if (i + 2 == calls && few) order = std::min(order, 2);
    orders.push_back(order);
  }
  return orders;
}

// Groups 1, 2, ..., order. The last group is cut short, or lowered so that the last step is 1.
std::vector<int> singlestep_orders(const Options& o, std::size_t calls, bool to_zero) {
  const auto group = static_cast<std::size_t>(o.order);
  std::vector<int> orders;
  for (std::size_t i = 0; i < calls; ++i) orders.push_back(static_cast<int>(i % group) + 1);
  if (o.lower_order_final || to_zero || calls % group != 0) {
    if (calls % group == 0 && o.order == 3) orders[calls - 1] = 1;
    if (calls % group == 0 && o.order == 2) orders[calls - 1] = 1;
  }
  if (to_zero) orders.back() = 1;
  return orders;
}

Options options_of(const Request& r) {
  constexpr std::string_view kTypes[] = {"midpoint", "heun"};
  Options o{};
  o.algorithm = static_cast<Algorithm>(r.spec.choice("algorithm", kAlgorithms).value_or(0));
  o.order = r.whole("order", 2, 1, 3);
  o.heun = r.spec.choice("type", kTypes).value_or(0) == 1;
  o.singlestep = r.yes("singlestep", false);
  o.lower_order_final = r.yes("lower_order_final", true);
  o.euler_at_final = r.yes("euler_at_final", false);
  o.compat = r.compat;
  if (o.algorithm == Algorithm::noise_sde && (o.order == 3 || o.singlestep)) {
    throw Error(
        "[plan] dpmpp: got algorithm sde-dpmsolver with {}, expected multistep of order 1 "
        "or 2; try algorithm=sde-dpmsolver++",
        o.singlestep ? "singlestep" : "order 3");
  }
  return o;
}

}  // namespace

Plan make_dpmpp(const Request& r) {
  const Options o = options_of(r);
  const Grid grid = make_grid(r, TimeRule::lambda, 20);
  const std::size_t calls = grid.points.size();
  const bool to_zero = grid.end.rho == 0;
  const std::vector<int> orders =
      o.singlestep ? singlestep_orders(o, calls, to_zero) : multistep_orders(o, calls, to_zero);
  Plan plan;
  for (std::size_t i = 0; i < calls; ++i) {
    plan.push_back(call_at(r.levels, grid.points[i], r.view));
    std::vector<Update>& updates = plan.back().updates;
    if (o.singlestep && orders[i] == 1) {
      updates.push_back({.dst = Reg::s0, .terms = {{Reg::x, 1}}});
    }
    if (grid.at(i + 1).rho == 0) {  // lambda infinite: every order 1 step ends at x0
      updates.push_back({.dst = Reg::x, .terms = {{Reg::x0, 1}}});
    } else if (grid.at(i + 1).rho == grid.at(i).rho && (!o.singlestep || orders[i] == 1)) {
      updates.push_back({.dst = Reg::x, .terms = {{Reg::x, 1}}});
    } else {
      updates.push_back(o.singlestep ? singlestep(o, grid, i, orders[i])
                                     : multistep(o, grid, i, orders[i]));
    }
  }
  return plan;
}

}  // namespace ddpm
