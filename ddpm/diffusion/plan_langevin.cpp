// Langevin dynamics: at one noise level, annealed through several (Song & Ermon 2019,
// arXiv:1907.05600, Algorithm 1), and as the corrector of a predictor-corrector sampler (Song et
// al. 2021, arXiv:2011.13456, Algorithm 5). docs/langevin.md has the theory.
#include <cmath>

#include "ddpm/base/error.h"
#include "ddpm/diffusion/plan_request.h"

namespace ddpm {
namespace {

constexpr int kMostLangevinCalls = 1'000'000;

// The score is linear in the raw eps; a limited x0 would give that of another distribution.
ModelView raw_view(const Request& r) {
  ModelView view = r.view;
  view.limit = Limit::no_limit();
  view.eps_from = EpsFrom::raw;
  return view;
}

// x += step / 2 score + sqrt(step) z, score = -eps / deviation.
Update langevin_update(double step, double deviation) {
  return {.dst = Reg::x,
          .terms = {{Reg::x, 1}, {Reg::eps, -step / (2 * deviation)}},
          .c_z = std::sqrt(step)};
}

double step_size(const Request& r, double usual) {
  const double eps = r.number("eps", usual);
  if (!(eps > 0)) {
    throw Error("[plan] {}: got eps = {}, expected a step size above 0; try eps={}", r.sampler, eps,
                usual);
  }
  return eps;
}

void denoise(const Request& r, Row call, Plan& plan) {
  if (!r.yes("denoise", false)) return;
  call.updates = {{.dst = Reg::x, .terms = {{Reg::x0, 1}}}};
  plan.push_back(std::move(call));
}

void check_calls(const Request& r, double calls) {
  if (calls >= 1 && calls <= kMostLangevinCalls) return;
  throw Error("[plan] {}: got {} network calls, expected 1..{}", r.sampler, calls,
              kMostLangevinCalls);
}

}  // namespace

Plan make_langevin(const Request& r) {
  const int steps = r.spec.count().value_or(100);
  check_calls(r, steps);
  const int t = r.whole("t", 1, 1, r.levels.schedule().T());
  const Level level = r.levels.whole(t);
  // The step may not exceed 4 times the smallest variance there is, that of the level's noise:
  // then it diverges on a single point.
  const double eps = step_size(r, level.noise * level.noise / 10);
  Row row = call_at(r.levels, level, raw_view(r));
  row.updates = {langevin_update(eps, level.noise)};
  Plan plan(static_cast<std::size_t>(steps), row);
  denoise(r, row, plan);
  return plan;
}

Plan make_ald(const Request& r) {
  const Grid grid = make_grid(r, TimeRule::sigma, 10);
  const int steps = r.whole("steps", 100, 1, kMostLangevinCalls);
  check_calls(r, static_cast<double>(grid.points.size()) * steps);
  const double least = grid.points.back().rho;
  const double eps = step_size(r, least * least / 5);
  Plan plan;
  plan.initial_scale = grid.initial_scale;
  for (const Level& level : grid.points) {
    Row row = call_at(r.levels, level, raw_view(r), State::ve);
    const double ratio = level.rho / least;
    row.updates = {langevin_update(eps * ratio * ratio, level.rho)};
    for (int i = 0; i < steps; ++i) plan.push_back(row);
  }
  Row last = plan.back();
  denoise(r, std::move(last), plan);
  return plan;
}

Plan make_pc(const Request& r) {
  const Grid grid = make_grid(r, TimeRule::index, r.levels.schedule().T());
  const int corrections = r.whole("corrections", 1, 0, 1000);
  const double snr = r.number("snr", 0.16, 0, 1e6);
  check_calls(r, static_cast<double>(grid.points.size()) * (corrections + 1));
  Plan plan;
  for (std::size_t i = 0; i < grid.points.size(); ++i) {
    const Level& level = grid.points[i];
    Row corrector = call_at(r.levels, level, raw_view(r));
    const double alpha = r.levels.schedule().alpha(static_cast<int>(level.time) + 1);
    corrector.updates = {
        {.dst = Reg::x, .terms = {{Reg::eps, -1 / level.noise}}, .snr = snr * std::sqrt(alpha)}};
    if (snr > 0 && alpha > 0) plan.insert(plan.end(), corrections, corrector);
    plan.push_back(call_at(r.levels, level, r.view));
    plan.back().updates = {ancestral_step(jump_between(r.levels, level, grid.at(i + 1)), r.view)};
  }
  return plan;
}

}  // namespace ddpm
