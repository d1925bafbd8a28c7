// PNDM (Liu et al. 2022, arXiv:2202.09778): three pseudo Runge-Kutta steps of four calls, then
// linear multistep of four values; or, without the former, multistep from the start (PLMS), whose
// first step is taken twice.
#include <algorithm>
#include <array>
#include <cmath>

#include "ddpm/base/error.h"
#include "ddpm/diffusion/plan_request.h"

namespace ddpm {
namespace {

using Weights = std::vector<Term>;  // of eps and of the kept ones; they sum to 1

// Adams-Bashforth of as many values as there are.
Weights adams_bashforth(std::size_t values) {
  switch (values) {
    case 1:
      return {{Reg::eps, 1}};
    case 2:
      return {{Reg::eps, 3. / 2}, {Reg::s1, -1. / 2}};
    case 3:
      return {{Reg::eps, 23. / 12}, {Reg::s1, -16. / 12}, {Reg::s2, 5. / 12}};
    default:
      return {{Reg::eps, 55. / 24}, {Reg::s1, -59. / 24}, {Reg::s2, 37. / 24}, {Reg::s3, -9. / 24}};
  }
}

// eps of the first calls of steps, newest first, in s1, s2, s3.
void keep_eps(std::vector<Update>& updates) {
  updates.push_back({.dst = Reg::s3, .terms = {{Reg::s2, 1}}});
  updates.push_back({.dst = Reg::s2, .terms = {{Reg::s1, 1}}});
  updates.push_back({.dst = Reg::s1, .terms = {{Reg::eps, 1}}});
}

class Pndm {
 public:
  Pndm(const Request& r, Grid grid) : r_(r), grid_(std::move(grid)) {
    stride_ = r_.levels.schedule().T() / static_cast<int>(grid_.points.size());
  }

  // Steps i = 0, 1, 2.
  void runge_kutta(std::size_t i) {
    const Level base = grid_.points[i], next = next_of(i), middle = middle_of(i);
    // diffusers aims at t - T / n / 2, whatever the time of the next call.
    const Level aim = r_.compat ? theirs(base.time - half()) : middle;
    call(base);
    last().push_back({.dst = Reg::s0, .terms = {{Reg::x, 1}}});
    move(Reg::s0, base, aim, {{Reg::eps, 1}});
    keep_eps(last());
    call(middle);
    move(Reg::s0, base, middle, {{Reg::eps, 1}});
    call(middle);
    const Level end = r_.compat ? theirs(middle.time - half()) : next;
    move(Reg::s0, base, end, {{Reg::eps, 1}});
    call(next);
    move(Reg::s0, base, next,
         {{Reg::eps_3, 1. / 6}, {Reg::eps_2, 1. / 3}, {Reg::eps_1, 1. / 3}, {Reg::eps, 1. / 6}});
  }

  void multistep(std::size_t i, std::size_t values) {
    call(grid_.points[i]);
    move(Reg::x, grid_.points[i], after(grid_.points[i].time, i), adams_bashforth(values));
    keep_eps(last());
  }

  // PLMS: an Euler step, and once more with the mean of both ends.
  void twice() {
    const Level first = grid_.points[0];
    call(first);
    last().push_back({.dst = Reg::s0, .terms = {{Reg::x, 1}}});
    move(Reg::x, first, after(first.time, 0), {{Reg::eps, 1}});
    keep_eps(last());
    if (grid_.points.size() == 1) return;
    const Level second = grid_.points[1];
    call(second);
    move(Reg::s0, r_.compat ? theirs(second.time + stride_) : first, second,
         {{Reg::eps, 1. / 2}, {Reg::s1, 1. / 2}});
  }

  Plan take() { return std::move(plan_); }

 private:
  int half() const { return stride_ / 2; }
  std::vector<Update>& last() { return plan_.back().updates; }

  const Level& next_of(std::size_t i) const { return grid_.at(i + 1); }
  Level middle_of(std::size_t i) const {
    if (r_.compat) return theirs(next_of(i).time + half());
    return r_.levels.at_time((grid_.points[i].time + next_of(i).time) / 2);
  }
  // Where a step from the i-th time ends: diffusers' end at t - T / n.
  Level after(double time, std::size_t i) const {
    return r_.compat ? theirs(time - stride_) : grid_.at(i + 1);
  }
  Level theirs(double time) const {
    if (time < 0) return grid_.end;
    const int t = static_cast<int>(time) + 1;
    if (t > r_.levels.schedule().T()) {
      throw Error("[plan] pndm: got time {}, expected at most {}; try spacing=leading", time,
                  r_.levels.schedule().T() - 1);
    }
    return r_.levels.whole(t);
  }

  // diffusers combines the outputs before it reads eps from them: the register holds the output.
  bool raw_output() const { return r_.compat && r_.view.prediction == Prediction::v; }

  void call(const Level& level) {
    plan_.push_back(call_at(r_.levels, level, r_.view));
    if (!raw_output()) return;
    plan_.back().e_x = plan_.back().e_x0 = 0;
    plan_.back().e_out = 1;
  }

  // DDIM's step from the state `from` at level `base`, along the weighted mean of eps.
  void move(Reg from, const Level& base, const Level& to, const Weights& eps) {
    double c_x = to.signal / base.signal;
    double c_eps = to.signal * (to.rho - base.rho);
    if (raw_output()) {  // eps = noise x + signal v, at the base
      c_x += c_eps * base.noise;
      c_eps *= base.signal;
    }
    Update update{.dst = Reg::x, .terms = {{from, c_x}}};
    for (const auto& [reg, w] : eps) update.terms.push_back({reg, c_eps * w});
    last().push_back(std::move(update));
  }

  const Request& r_;
  Grid grid_;
  int stride_;
  Plan plan_;
};

}  // namespace

Plan make_pndm(const Request& r) {
  constexpr std::string_view kFinalAlphas[] = {"one", "first"};
  Grid grid = make_grid(r, TimeRule::index, 50);
  const std::size_t usual = r.compat ? 1 : 0;
  if (r.spec.choice("final_alpha", kFinalAlphas).value_or(usual) == 1) grid.end = r.levels.whole(1);
  const bool runge_kutta = r.yes("runge_kutta", true);
  const std::size_t steps = grid.points.size();
  if (runge_kutta && steps < 4) {
    throw Error("[plan] pndm: got {} steps, expected at least 4; try pndm:{},runge_kutta=no", steps,
                steps);
  }
  if (grid.points.front().signal == 0) {
    throw Error(
        "[plan] pndm: got alpha_bar = 0 at the first time, expected alpha_bar > 0; try "
        "spacing=leading");
  }
  Pndm pndm(r, grid);
  if (runge_kutta) {
    for (std::size_t i = 0; i < 3; ++i) pndm.runge_kutta(i);
    for (std::size_t i = 3; i < steps; ++i) pndm.multistep(i, 4);
  } else {
    pndm.twice();
    for (std::size_t i = 1; i < steps; ++i) pndm.multistep(i, std::min<std::size_t>(i + 1, 4));
  }
  return pndm.take();
}

}  // namespace ddpm
