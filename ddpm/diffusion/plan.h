// A sampler is data: a table of coefficients that one runner (engine/runner.h) executes on any
// engine. docs/plan_format.md says what a row means, docs/samplers.md which tables there are.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ddpm/diffusion/prediction.h"
#include "ddpm/diffusion/spacing.h"

namespace ddpm {

/// What updates read and write: the state; x0 and eps of this row's call (after the limit) and of
/// the three calls before; four places to keep something in. All start as zeros but x.
enum class Reg { x, x0, eps, x0_1, x0_2, x0_3, eps_1, eps_2, eps_3, s0, s1, s2, s3 };
inline constexpr std::size_t kRegs = 13;
inline constexpr std::array<Reg, 4> kX0 = {Reg::x0, Reg::x0_1, Reg::x0_2, Reg::x0_3};
inline constexpr std::array<Reg, 4> kEps = {Reg::eps, Reg::eps_1, Reg::eps_2, Reg::eps_3};

/// "x", "x0", ..., "s3".
std::string_view to_string(Reg reg);

/// What x0 is held in. clip: x0 into [-range, range]. quantile (dynamic thresholding, Saharia et
/// al. 2022): s = the `quantile` of |x0| over the image, interpolated, held in [1, range]; x0 into
/// [-s, s], then divided by s.
struct Limit {
  enum class Kind { none, clip, quantile } kind = Kind::none;
  double range = 1;
  double quantile = 1;

  static Limit no_limit() { return {}; }
  static Limit clip(double range = 1) { return {Kind::clip, range, 1}; }
  static Limit dynamic(double quantile, double range) { return {Kind::quantile, range, quantile}; }
};

/// c * reg.
struct Term {
  Reg reg;
  double c;
};

/// dst = sum_k terms[k].c * terms[k].reg + c_z * exp(z_v * v) * z: z standard normal, one z a row;
/// v the network's variance channels. With snr > 0 it is a Langevin step whose size comes from the
/// image's norms (Song et al. 2021, Algorithm 5): g = the sum, h = 2 (snr |z| / |g|)^2, dst += h g
/// + sqrt(2 h) z.
struct Update {
  Reg dst;
  std::vector<Term> terms;
  double c_z = 0;
  double z_v = 0;
  double snr = 0;
};

/// One row: at most one network call, then updates in order.
/// A call first moves x0 to x0_1, x0_1 to x0_2, x0_2 to x0_3, eps likewise. The network is fed c_in
/// * x at `time`; x0 = limit(r_x * x + r_out * out); eps = e_x * x + e_out * out + e_x0 * x0, so
/// that it is either raw (e_x0 = 0) or re-derived from the limited x0 (e_out = 0).
struct Row {
  std::optional<double> time;  // as the network is fed (0-based, may be fractional)
  double c_in = 1;
  double r_x = 0, r_out = 0;
  double e_x = 0, e_out = 0, e_x0 = 0;
  Limit limit;
  std::vector<Update> updates;
};

/// The rows, and what the standard normal start is multiplied by before the first.
struct Plan : std::vector<Row> {
  using std::vector<Row>::vector;
  double initial_scale = 1;
};

enum class EpsFrom { raw, limited_x0 };

/// How a sampler reads the model; made from the model folder.
struct ModelView {
  Prediction prediction = Prediction::eps;
  Variance variance = Variance::fixed_large;
  Limit limit = Limit::clip();
  EpsFrom eps_from = EpsFrom::limited_x0;
  /// Measured, t = 1..T, or empty: E |eps|^2 / D of the network's eps (Variance::optimal) and E
  /// |eps - true eps|^2 / D (spacing=optimal).
  std::vector<double> mean_eps_squared = {}, eps_error = {};
};

/// Ancestral sampling, Algorithm 2, through x0 (Eq. (7), (15)), over decreasing `times` (paper's
/// t); with fewer than T times the process is re-spaced: alpha_bar at the chosen times makes new
/// betas. No noise in the last step. Throws Error unless times are strictly decreasing in 1..T.
Plan ddpm_plan(const Schedule& schedule, const std::vector<int>& times, const ModelView& view);

/// DDIM over decreasing `times` (Song et al. 2020, Eqs. (12), (16)); eta in [0, 1], 0 = no noise.
/// The last time steps to clean data. Throws Error for eta or times out of range.
Plan ddim_plan(const Schedule& schedule, const std::vector<int>& times, double eta,
               const ModelView& view);

/// Any sampler: `ddpm:1000`, `ddim:50,eta=0.5`, `dpmpp:20,order=3,spacing=karras`,
/// `langevin:100,eps=1e-4,t=10`, ... (docs/samplers.md). Throws Error with what was got, what is
/// known and what to try.
Plan parse_plan(const std::string& spec, const Schedule& schedule, const ModelView& view);

/// A key of a spec, and its default in words.
struct KeyHelp {
  std::string_view key, usual, what;
};

/// A sampler that parse_plan knows.
struct SamplerHelp {
  std::string_view name, what;
  std::vector<KeyHelp> keys;
};

/// The table that parse_plan, --help and docs/samplers.md are made from.
std::vector<SamplerHelp> sampler_help();

/// Number of network calls.
int calls_of(const Plan& plan);

}  // namespace ddpm
