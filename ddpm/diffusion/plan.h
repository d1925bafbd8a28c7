// A sampler is data: a table of coefficients that one runner (engine/runner.h) executes on any
// engine.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "ddpm/diffusion/prediction.h"

namespace ddpm {

/// What the updates of a row may read: the state, this call's x0 and eps (after the limit).
enum class Reg { x, x0, eps };

struct Limit {
  enum class Kind { none, clip } kind = Kind::none;
  double range = 1;  // clip: x0 into [-range, range]

  static Limit no_limit() { return {}; }
  static Limit clip(double range = 1) { return {Kind::clip, range}; }
};

struct Term {
  Reg reg;
  double c;
};

/// dst = sum_k terms[k].c * terms[k].reg + c_z * z, z standard normal.
struct Update {
  Reg dst;
  std::vector<Term> terms;
  double c_z = 0;
};

/// One row: at most one network call, then updates in order.
/// The network is fed c_in * x at `time`; x0 = limit(r_x * x + r_out * out); eps = e_x * x + e_out
/// * out + e_x0 * x0, so that it is either raw (e_x0 = 0) or re-derived from the limited x0 (e_out
/// = 0).
struct Row {
  std::optional<double> time;  // as the network is fed (0-based, may be fractional)
  double c_in = 1;
  double r_x = 0, r_out = 0;
  double e_x = 0, e_out = 0, e_x0 = 0;
  Limit limit;
  std::vector<Update> updates;
};

using Plan = std::vector<Row>;

enum class EpsFrom { raw, limited_x0 };

/// How a sampler reads the model; made from the model folder.
struct ModelView {
  Prediction prediction = Prediction::eps;
  Variance variance = Variance::fixed_large;
  Limit limit = Limit::clip();
  EpsFrom eps_from = EpsFrom::limited_x0;
};

/// Ancestral sampling, Algorithm 2, through x0 (Eq. (7), (15)), over decreasing `times` (paper's
/// t); with fewer than T times the process is re-spaced: alpha_bar at the chosen times makes new
/// betas. No noise in the last step. Throws Error unless times are strictly decreasing in 1..T.
Plan ddpm_plan(const Schedule& schedule, const std::vector<int>& times, const ModelView& view);

/// DDIM over decreasing `times` (Song et al. 2020, Eqs. (12), (16)); eta in [0, 1], 0 = no noise.
/// The last time steps to clean data. Throws Error for eta or times out of range.
Plan ddim_plan(const Schedule& schedule, const std::vector<int>& times, double eta,
               const ModelView& view);

enum class Spacing { uniform, quadratic };

/// `calls` decreasing times. uniform: tau_i = 1 + floor(i T / calls), i = calls - 1..0 ("leading":
/// 50 of 1000 gives network times 980, 960, ..., 0). quadratic: 1 + floor((i sqrt(0.8 T) / (calls -
/// 1))^2) (Song et al. 2020, App. D.2), made strictly increasing. Throws Error unless 1 <= calls <=
/// T.
std::vector<int> spaced_times(int T, int calls, Spacing spacing);

/// `ddpm:1000`, `ddim:50`, `ddim:50,eta=0.5,spacing=quadratic`,
/// `ddpm:1000,variance=fixed_small,clip=0,eps=raw`. Without `:calls`, ddpm takes T and ddim 50 (or
/// T if less). Throws Error with what was got, what is known and what to try.
Plan parse_plan(const std::string& spec, const Schedule& schedule, ModelView view);

/// Number of network calls.
int calls_of(const Plan& plan);

}  // namespace ddpm
