#include "ddpm/diffusion/plan.h"

#include <algorithm>
#include <cmath>
#include <string_view>

#include "ddpm/base/error.h"

namespace ddpm {
namespace {

// A step of the re-spaced process, from time t down to s < t: q(x_t | x_s) = N(sqrt(alpha) x_s,
// beta).
struct Jump {
  double alpha_bar_t, alpha_bar_s;
  double var_t, var_s;  // 1 - alpha_bar
  double alpha;         // alpha_bar_t / alpha_bar_s
  double beta;          // 1 - alpha
};

Jump jump(const Schedule& schedule, int t, int s) {
  const double a = schedule.alpha_bar(t), b = schedule.alpha_bar(s);
  return {.alpha_bar_t = a,
          .alpha_bar_s = b,
          .var_t = schedule.one_minus_alpha_bar(t),
          .var_s = schedule.one_minus_alpha_bar(s),
          .alpha = a / b,
          .beta = schedule.jump_beta(s, t)};
}

// Eqs. (6)-(7) of the re-spaced process: q(x_s | x_t, x_0).
Posterior posterior(const Jump& j) {
  return {.c_x0 = std::sqrt(j.alpha_bar_s) * j.beta / j.var_t,
          .c_xt = std::sqrt(j.alpha) * j.var_s / j.var_t,
          .variance = j.beta * j.var_s / j.var_t};
}

// The network call at time t: how x0 and eps are read from its output.
Row call(const Schedule& schedule, int t, const ModelView& view) {
  const Linear x0 = x0_from(schedule, t, view.prediction);
  Row row;
  row.time = network_time(t);
  row.r_x = x0.x;
  row.r_out = x0.out;
  row.limit = view.limit;
  if (view.eps_from == EpsFrom::raw) {
    const Linear eps = eps_from(schedule, t, view.prediction);
    row.e_x = eps.x;
    row.e_out = eps.out;
  } else {  // eps = (x_t - sqrt(alpha_bar_t) x0) / sqrt(1 - alpha_bar_t), Eq. (4)
    row.e_x = 1 / std::sqrt(schedule.one_minus_alpha_bar(t));
    row.e_x0 = -std::sqrt(schedule.alpha_bar(t)) * row.e_x;
  }
  return row;
}

// Algorithm 2, line 4: x_s = c_x0 x0 + c_xt x_t + sigma z.
Update ancestral_step(const Jump& j, Variance kind) {
  const Posterior q = posterior(j);
  const double variance = kind == Variance::fixed_small ? q.variance : j.beta;
  const bool last = j.var_s == 0;  // "else z = 0"
  return {.dst = Reg::x,
          .terms = {{Reg::x0, q.c_x0}, {Reg::x, q.c_xt}},
          .c_z = last ? 0 : std::sqrt(variance)};
}

// Song et al. 2020, Eq. (12): x_s = sqrt(alpha_bar_s) x0 + sqrt(1 - alpha_bar_s - sigma^2) eps +
// sigma z, where by Eq. (16) sigma^2 = eta^2 (posterior variance). The eps term is written with
// var_t = beta + alpha var_s, so that nothing cancels.
Update ddim_step(const Jump& j, double eta) {
  const double keep = (1 - eta) * (1 + eta) + eta * eta * j.alpha * j.var_s / j.var_t;
  return {.dst = Reg::x,
          .terms = {{Reg::x0, std::sqrt(j.alpha_bar_s)}, {Reg::eps, std::sqrt(j.var_s * keep)}},
          .c_z = eta * std::sqrt(posterior(j).variance)};
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

template <class Step>
Plan make_plan(const Schedule& schedule, const std::vector<int>& times, const ModelView& view,
               Step step) {
  Plan plan;
  for (std::size_t i = 0; i < times.size(); ++i) {
    const int s = i + 1 < times.size() ? times[i + 1] : 0;
    plan.push_back(call(schedule, times[i], view));
    plan.back().updates = {step(jump(schedule, times[i], s))};
  }
  return plan;
}

}  // namespace

Plan ddpm_plan(const Schedule& schedule, const std::vector<int>& times, const ModelView& view) {
  check_times("ddpm", schedule.T(), times);
  return make_plan(schedule, times, view,
                   [&](const Jump& j) { return ancestral_step(j, view.variance); });
}

Plan ddim_plan(const Schedule& schedule, const std::vector<int>& times, double eta,
               const ModelView& view) {
  check_times("ddim", schedule.T(), times);
  if (!(eta >= 0 && eta <= 1)) {
    throw Error("[plan] ddim: got eta = {}, expected 0..1; try eta=0 (no noise)", eta);
  }
  return make_plan(schedule, times, view, [&](const Jump& j) { return ddim_step(j, eta); });
}

int calls_of(const Plan& plan) {
  return static_cast<int>(
      std::ranges::count_if(plan, [](const Row& row) { return row.time.has_value(); }));
}

}  // namespace ddpm
