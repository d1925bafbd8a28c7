// Ancestral sampling and DDIM.
#include "ddpm/diffusion/plan.h"

#include <algorithm>
#include <cmath>
#include <string_view>

#include "ddpm/base/error.h"
#include "ddpm/base/exact.h"
#include "ddpm/diffusion/plan_request.h"

namespace ddpm {
namespace {

// Bao et al. 2022: the fitted variance of the jump, beta-tilde + c_x0^2 Var(x0 | x_t).
double optimal_variance(const Jump& j, const ModelView& view) {
  const int t = j.from.t.value_or(0);
  if (t < 1 || view.mean_eps_squared.size() < static_cast<std::size_t>(t)) {
    throw Error(
        "[plan] variance optimal: got no measurement for time {}, expected one for each whole "
        "time; try variance=fixed_small",
        j.from.time);
  }
  const Posterior q = j.posterior();
  const double known = std::min(view.mean_eps_squared[t - 1], 1.0);
  const double ratio = j.from.rho * j.from.rho;
  const double unknown = std::isinf(ratio) ? 1 : std::min(ratio * (1 - known), 1.0);
  return q.variance + q.c_x0 * q.c_x0 * unknown;
}

// log sigma^2 = offset + slope v, of a step that is not the last.
struct Scale {
  double c_z, z_v;  // sigma = c_z exp(z_v v)
};

Scale noise_scale(const Jump& j, const ModelView& view, double least) {
  const double small = std::max(j.posterior().variance, least);
  switch (view.variance) {
    case Variance::fixed_small:
      return {std::sqrt(small), 0};
    case Variance::fixed_large:
      return {std::sqrt(j.beta), 0};
    case Variance::learned:  // v is log sigma^2
      return {1, 0.5};
    case Variance::learned_range: {  // Nichol & Dhariwal 2021, Eq. (15), v in -1..1
      const double low = exact::log(small), high = exact::log(j.beta);
      return {exact::exp((high + low) / 4), (high - low) / 4};
    }
    case Variance::optimal:
      return {std::sqrt(optimal_variance(j, view)), 0};
  }
  throw BugError("[plan] noise_scale: unknown variance");
}

// Algorithm 2, line 4, without its noise.
Update mean_step(const Jump& j) {
  const Posterior q = j.posterior();
  return {.dst = Reg::x, .terms = {{Reg::x0, q.c_x0}, {Reg::x, q.c_xt}}};
}

void check_times(std::string_view sampler, int T, const std::vector<int>& times) {
  if (times.empty()) throw Error("[plan] {}: got no times, expected some of {}..1", sampler, T);
  int before = T + 1;
  for (const int t : times) {
    if (t < 1 || t >= before) {
      throw Error("[plan] {}: got time {} after {}, expected strictly decreasing times in {}..1",
                  sampler, t, before, T);
    }
    before = t;
  }
}

void check_eta(double eta) {
  if (!(eta >= 0 && eta <= 1)) {
    throw Error("[plan] ddim: got eta = {}, expected 0..1; try eta=0 (no noise)", eta);
  }
}

template <class Step>
Plan make_plan(const Levels& levels, const Grid& grid, const ModelView& view, Step step) {
  Plan plan;
  for (std::size_t i = 0; i < grid.points.size(); ++i) {
    plan.push_back(call_at(levels, grid.points[i], view));
    plan.back().updates = {step(i)};
  }
  return plan;
}

Grid whole_grid(const Levels& levels, const std::vector<int>& times) {
  Grid grid{{}, levels.whole(0), 1};
  for (const int t : times) grid.points.push_back(levels.whole(t));
  return grid;
}

// diffusers adds noise wherever t > 0, be it the last step, of a variance no less than 1e-20.
Update compat_ancestral_step(const Jump& j, const ModelView& view) {
  Update update = mean_step(j);
  if (j.from.time <= 0) return update;
  const Scale scale = noise_scale(j, view, 1e-20);
  update.c_z = scale.c_z;
  update.z_v = scale.z_v;
  return update;
}

// diffusers' DDIM: the time after t is t - T / n, whatever the next of the list.
Level compat_next(const Levels& levels, const Level& from, std::size_t calls, bool one) {
  const int stride = levels.schedule().T() / static_cast<int>(calls);
  const double time = from.time - stride;
  if (time >= 0) return levels.whole(static_cast<int>(time) + 1);
  return levels.whole(one ? 0 : 1);
}

}  // namespace

Posterior Jump::posterior() const {
  const double var_t = from.variance, var_s = to.variance;
  return {.c_x0 = to.signal * beta / var_t,
          .c_xt = std::sqrt(alpha) * var_s / var_t,
          .variance = beta * var_s / var_t};
}

Jump jump_between(const Levels& levels, const Level& from, const Level& to) {
  if (from.t && to.t && *from.t > *to.t) {
    const Schedule& s = levels.schedule();
    return {from, to, s.alpha_bar(*from.t) / s.alpha_bar(*to.t), s.jump_beta(*to.t, *from.t)};
  }
  const double alpha = from.signal * from.signal / (to.signal * to.signal);
  // 1 - (1 + rho_s^2) / (1 + rho_t^2)
  const double beta = (from.rho - to.rho) * (from.rho + to.rho) * from.signal * from.signal;
  return {from, to, alpha, beta};
}

Update ancestral_step(const Jump& j, const ModelView& view) {
  Update update = mean_step(j);
  if (j.to.variance == 0) return update;  // "else z = 0"
  const Scale scale = noise_scale(j, view, 0);
  update.c_z = scale.c_z;
  update.z_v = scale.z_v;
  return update;
}

// Song et al. 2020, Eq. (12): x_s = sqrt(alpha_bar_s) x0 + sqrt(1 - alpha_bar_s - sigma^2) eps +
// sigma z, where by Eq. (16) sigma^2 = eta^2 (posterior variance). The eps term is written with
// var_t = beta + alpha var_s, so that nothing cancels.
Update ddim_step(const Jump& j, double eta) {
  const double var_t = j.from.variance, var_s = j.to.variance;
  const double keep = (1 - eta) * (1 + eta) + eta * eta * j.alpha * var_s / var_t;
  return {.dst = Reg::x,
          .terms = {{Reg::x0, j.to.signal}, {Reg::eps, std::sqrt(var_s * keep)}},
          .c_z = eta * std::sqrt(j.posterior().variance)};
}

Plan ddpm_plan(const Schedule& schedule, const std::vector<int>& times, const ModelView& view) {
  check_times("ddpm", schedule.T(), times);
  const Levels levels(schedule);
  const Grid grid = whole_grid(levels, times);
  return make_plan(levels, grid, view, [&](std::size_t i) {
    return ancestral_step(jump_between(levels, grid.points[i], grid.at(i + 1)), view);
  });
}

Plan ddim_plan(const Schedule& schedule, const std::vector<int>& times, double eta,
               const ModelView& view) {
  check_times("ddim", schedule.T(), times);
  check_eta(eta);
  const Levels levels(schedule);
  const Grid grid = whole_grid(levels, times);
  return make_plan(levels, grid, view, [&](std::size_t i) {
    return ddim_step(jump_between(levels, grid.points[i], grid.at(i + 1)), eta);
  });
}

Plan make_ddpm(const Request& r) {
  const Grid grid = make_grid(r, TimeRule::index, r.levels.schedule().T());
  return make_plan(r.levels, grid, r.view, [&](std::size_t i) {
    // A next time of -1 (trailing, compat) is clean data to diffusers.
    const bool last = i + 1 >= grid.points.size() || grid.points[i + 1].time < 0;
    const Jump jump =
        jump_between(r.levels, grid.points[i], last ? r.levels.whole(0) : grid.points[i + 1]);
    return r.compat ? compat_ancestral_step(jump, r.view) : ancestral_step(jump, r.view);
  });
}

Plan make_ddim(const Request& r) {
  constexpr std::string_view kFinalAlphas[] = {"one", "first"};
  const double eta = r.number("eta", 0);
  check_eta(eta);
  const bool one = r.spec.choice("final_alpha", kFinalAlphas).value_or(0) == 0;
  Grid grid = make_grid(r, TimeRule::index, 50);
  if (!one) grid.end = r.levels.whole(1);
  return make_plan(r.levels, grid, r.view, [&](std::size_t i) {
    const Level& from = grid.points[i];
    const bool theirs = r.compat && from.t;
    const Level to = theirs ? compat_next(r.levels, from, grid.points.size(), one) : grid.at(i + 1);
    return ddim_step(jump_between(r.levels, from, to), eta);
  });
}

int calls_of(const Plan& plan) {
  return static_cast<int>(
      std::ranges::count_if(plan, [](const Row& row) { return row.time.has_value(); }));
}

std::string_view to_string(Reg reg) {
  constexpr std::string_view kNames[] = {"x",     "x0",    "eps", "x0_1", "x0_2", "x0_3", "eps_1",
                                         "eps_2", "eps_3", "s0",  "s1",   "s2",   "s3"};
  static_assert(std::size(kNames) == kRegs);
  const auto index = static_cast<std::size_t>(reg);
  DDPM_CHECK(index < kRegs, "register {}", index);
  return kNames[index];
}

}  // namespace ddpm
