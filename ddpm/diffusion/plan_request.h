// What the makers of plans share: the parsed spec with the model's view, and the grid of levels at
// which the network is called.
#pragma once

#include <string_view>
#include <vector>

#include "ddpm/diffusion/plan_level.h"
#include "ddpm/diffusion/spec.h"

namespace ddpm {

/// A spec on its way to a plan. The view has the spec's variance, clip, threshold and eps already.
struct Request {
  const Spec& spec;
  std::string_view sampler;
  Levels levels;
  ModelView view;
  bool compat = false;  // compat=diffusers: its own choices where ours differ (docs/samplers.md)

  double number(std::string_view key, double usual) const;
  /// Throws Error unless the value is in [low, high].
  double number(std::string_view key, double usual, double low, double high) const;
  int whole(std::string_view key, int usual, int low, int high) const;
  bool yes(std::string_view key, bool usual) const;  // yes or no
};

/// How diffusers' schedulers lay their times: index (DDPM, DDIM, PNDM): rounded, the last is 0.
/// lambda (DPM-Solver, UniPC, DEIS): one more, the last of which is left out. sigma (Euler, Heun,
/// LMS): not rounded.
enum class TimeRule { index, lambda, sigma };

/// Levels in the order of the calls, and where the last step ends.
struct Grid {
  std::vector<Level> points;
  Level end;
  double initial_scale = 1;  // for the state x / signal

  /// points[i], or end.
  const Level& at(std::size_t i) const { return i < points.size() ? points[i] : end; }
};

/// The grid that `spacing`, `times`, `offset`, `rho`, `sigma_min`, `sigma_max`, `ends`, `final` and
/// `lambda_min` say. Throws Error for what is impossible.
Grid make_grid(const Request& request, TimeRule rule, int usual_calls);

/// The times of `spacing`, decreasing, as networks are fed. `last`: how many of the schedule's
/// times there are to choose from, T unless lambda_min cuts.
std::vector<double> network_times(const Request& request, TimeRule rule, Spacing spacing, int calls,
                                  int last);

// One maker a family; the spec's keys have been checked.
Plan make_ddpm(const Request& request);
Plan make_ddim(const Request& request);
Plan make_dpmpp(const Request& request);
Plan make_unipc(const Request& request);
Plan make_deis(const Request& request);
Plan make_pndm(const Request& request);
Plan make_euler(const Request& request);
Plan make_heun(const Request& request);
Plan make_euler_a(const Request& request);
Plan make_lms(const Request& request);
Plan make_langevin(const Request& request);
Plan make_ald(const Request& request);
Plan make_pc(const Request& request);

/// Ancestral or DDIM step between levels, in place of a row's updates.
struct Jump {
  Level from, to;
  double alpha, beta;  // alpha_bar ratio, and 1 - it without cancellation
  Posterior posterior() const;
};
Jump jump_between(const Levels& levels, const Level& from, const Level& to);
Update ancestral_step(const Jump& jump, const ModelView& view);
Update ddim_step(const Jump& jump, double eta);

}  // namespace ddpm
