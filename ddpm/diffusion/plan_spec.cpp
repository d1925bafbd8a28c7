// Specs of samplers: one table for parsing, --help and docs/samplers.md.
#include <algorithm>
#include <span>
#include <string_view>

#include "ddpm/base/error.h"
#include "ddpm/diffusion/plan.h"
#include "ddpm/diffusion/plan_request.h"
#include "ddpm/diffusion/spec.h"

namespace ddpm {
namespace {

constexpr std::string_view kEpsFrom[] = {"raw", "limited_x0"};  // in the order of their enums
constexpr std::string_view kCompats[] = {"none", "diffusers"};
constexpr std::string_view kNoYes[] = {"no", "yes"};

constexpr KeyHelp kSpacingKey[] = {
    {"spacing", "uniform",
     "uniform, quadratic, leading, linspace, trailing, optimal, karras, exponential, "
     "polyexponential"},
    {"times", "", "the times themselves, as the network is fed: 999/500/0"},
    {"offset", "0", "added to the times of spacing=leading"},
    {"rho", "7 (karras), 1", "curve of karras and polyexponential"},
    {"sigma_max", "that of T", "first noise / signal of karras and its like"},
    {"sigma_min", "that of t = 1", "last noise / signal of karras and its like"},
    {"ends", "linspace", "the spacing whose ends karras and its like run between"},
};
constexpr KeyHelp kSpacingOdes[] = {
    {"spacing", "linspace",
     "uniform, quadratic, leading, linspace, trailing, optimal, karras, exponential, "
     "polyexponential"},
    kSpacingKey[1],
    kSpacingKey[2],
    kSpacingKey[3],
    kSpacingKey[4],
    kSpacingKey[5],
    kSpacingKey[6],
};
constexpr KeyHelp kSpacingAld[] = {
    {"spacing", "exponential", kSpacingKey[0].what},
    kSpacingKey[1],
    kSpacingKey[2],
    kSpacingKey[3],
    kSpacingKey[4],
    kSpacingKey[5],
    kSpacingKey[6],
};
constexpr KeyHelp kFinal[] = {
    {"final", "zero", "the last step ends at zero noise or at sigma_min, the noise of t = 1"}};
constexpr KeyHelp kLimits[] = {
    {"clip", "the model's", "x0 into [-clip, clip]; 0: not at all"},
    {"threshold", "off", "dynamic thresholding: this quantile of its size scales x0, as 0.995"},
    {"threshold_max", "10", "the largest scale of threshold"},
};
constexpr KeyHelp kEpsKey[] = {
    {"eps", "the model's", "eps as the network says (raw) or re-derived (limited_x0)"}};
constexpr KeyHelp kVariance[] = {
    {"variance", "the model's", "fixed_small, fixed_large, learned, learned_range or optimal"}};
constexpr KeyHelp kCompat[] = {{"compat", "none", "diffusers: its own choices where ours differ"}};
constexpr KeyHelp kFinalAlpha[] = {
    {"final_alpha", "one", "alpha_bar of the end: one (clean data) or first (that of t = 1)"}};
constexpr KeyHelp kEta[] = {{"eta", "0", "0: no noise, 1: that of ancestral sampling"}};
constexpr KeyHelp kEtaA[] = {{"eta", "1", "0: Euler's method, 1: the most noise"}};
constexpr KeyHelp kDpm[] = {
    {"order", "2", "1, 2 or 3"},
    {"type", "midpoint", "midpoint or heun"},
    {"algorithm", "dpmsolver++", "dpmsolver++, sde-dpmsolver++, dpmsolver or sde-dpmsolver"},
    {"singlestep", "no", "yes: calls in groups of order, each from its own start"},
    {"lower_order_final", "yes", "lower orders at the end of fewer than 15 calls"},
    {"euler_at_final", "no", "order 1 in the last step"},
    {"lambda_min", "none", "leave out times whose log(signal / noise) is below, as -5.1"},
};
constexpr KeyHelp kUnipc[] = {
    {"order", "2", "1, 2 or 3 of the predictor; the corrector has one more"},
    {"type", "bh2", "bh1 or bh2"},
    {"of", "x0", "the polynomial is of x0 or of eps"},
    {"corrector", "yes", "no: the predictor alone"},
    {"lower_order_final", "yes", "lower orders towards the end"},
};
constexpr KeyHelp kDeis[] = {
    {"order", "2", "1, 2 or 3"},
    {"lower_order_final", "yes", "lower orders at the end of fewer than 15 calls"},
};
constexpr KeyHelp kLms[] = {{"order", "4", "1, 2, 3 or 4"}};
constexpr KeyHelp kPndm[] = {
    {"runge_kutta", "yes", "no: multistep from the start; steps + 1 calls, not steps + 9"}};
constexpr KeyHelp kChurn[] = {
    {"churn", "0", "EDM's S_churn: noise added before a step"},
    {"churn_min", "0", "S_min: only at noise / signal above"},
    {"churn_max", "infinite", "S_max: only at noise / signal below"},
    {"noise", "1", "S_noise: scale of the added noise"},
};
constexpr KeyHelp kDenoise[] = {{"denoise", "no", "yes: end with a call whose x0 is the result"}};
constexpr KeyHelp kLangevin[] = {
    {"eps", "(1 - alpha_bar) / 10", "x += eps/2 score + sqrt(eps) z"},
    {"t", "1", "the paper's time of the noise level"},
};
constexpr KeyHelp kAld[] = {
    {"eps", "sigma_min^2 / 5", "step size at the last level; it grows as sigma^2"},
    {"steps", "100", "steps a level"},
};
constexpr KeyHelp kPc[] = {
    {"snr", "0.16",
     "size of the corrector: step = 2 alpha (snr norm(z) / norm(score))^2, per image"},
    {"corrections", "1", "corrector steps before each ancestral step"},
};

using Keys = std::span<const KeyHelp>;

struct Sampler {
  std::string_view name, what;
  Plan (*make)(const Request&);
  std::vector<Keys> keys;
};

const std::vector<Sampler>& samplers() {
  static const std::vector<Sampler> kTable = {
      {"ddpm",
       "ancestral sampling, Algorithm 2 (default T calls)",
       make_ddpm,
       {kVariance, kSpacingKey, kLimits, kCompat}},
      {"ddim",
       "DDIM, Song et al. 2020 (50 calls)",
       make_ddim,
       {kEta, kSpacingKey, kFinalAlpha, kLimits, kEpsKey, kCompat}},
      {"dpmpp",
       "DPM-Solver++ and DPM-Solver, Lu et al. 2022 (20 calls)",
       make_dpmpp,
       {kDpm, kSpacingOdes, kFinal, kLimits, kEpsKey, kCompat}},
      {"unipc",
       "UniPC, Zhao et al. 2023 (20 calls)",
       make_unipc,
       {kUnipc, kSpacingOdes, kFinal, kLimits, kEpsKey, kCompat}},
      {"deis",
       "DEIS, Zhang & Chen 2022 (20 calls)",
       make_deis,
       {kDeis, kSpacingOdes, kFinal, kLimits, kEpsKey, kCompat}},
      {"pndm",
       "PNDM, Liu et al. 2022 (50 steps, 59 calls)",
       make_pndm,
       {kPndm, kSpacingKey, kFinalAlpha, kLimits, kEpsKey, kCompat}},
      {"euler",
       "Euler in sigma with EDM's churn, Karras et al. 2022 (20 calls)",
       make_euler,
       {kChurn, kSpacingOdes, kFinal, kLimits, kEpsKey, kCompat}},
      {"heun",
       "Heun in sigma with EDM's churn (20 steps, 39 calls)",
       make_heun,
       {kChurn, kSpacingOdes, kFinal, kLimits, kEpsKey, kCompat}},
      {"euler_a",
       "Euler ancestral of k-diffusion (20 calls)",
       make_euler_a,
       {kEtaA, kSpacingOdes, kFinal, kLimits, kEpsKey, kCompat}},
      {"lms",
       "linear multistep of k-diffusion (20 calls)",
       make_lms,
       {kLms, kSpacingOdes, kFinal, kLimits, kEpsKey, kCompat}},
      {"langevin",
       "Langevin dynamics at one noise level (100 steps)",
       make_langevin,
       {kLangevin, kDenoise}},
      {"ald",
       "annealed Langevin dynamics, Song & Ermon 2019 (10 levels)",
       make_ald,
       {kAld, kSpacingAld, kDenoise}},
      {"pc",
       "predictor-corrector, Song et al. 2021 (T times)",
       make_pc,
       {kPc, kVariance, kSpacingKey, kLimits}},
  };
  return kTable;
}

Limit clip_or_none(double range) {
  if (range < 0) {
    throw Error("[plan] clip: got {}, expected 0 (no clipping) or a range; try clip=1", range);
  }
  return range == 0 ? Limit::no_limit() : Limit::clip(range);
}

Limit dynamic_limit(double quantile, double most) {
  if (!(quantile > 0 && quantile <= 1 && most >= 1)) {
    throw Error(
        "[plan] threshold: got quantile {} and threshold_max {}, expected 0 < quantile <= 1 and a "
        "maximum of at least 1; try threshold=0.995",
        quantile, most);
  }
  return Limit::dynamic(quantile, most);
}

bool knows(const Sampler& sampler, std::string_view key) {
  return std::ranges::any_of(sampler.keys, [&](Keys keys) {
    return std::ranges::any_of(keys, [&](const KeyHelp& k) { return k.key == key; });
  });
}

// diffusers' schedulers of these families never clip, and all but DDIM derive eps from x0.
ModelView compat_view(ModelView view, std::string_view name) {
  const bool clips = name == "ddpm" || name == "ddim" || name == "heun";
  if (!clips) view.limit = Limit::no_limit();
  view.eps_from = name == "ddim" ? EpsFrom::raw : EpsFrom::limited_x0;
  return view;
}

// What the spec says of the model overrides what the model folder says.
ModelView overridden(ModelView view, const Spec& spec, const Sampler& sampler) {
  if (const auto i = spec.choice("variance", kVarianceNames))
    view.variance = static_cast<Variance>(*i);
  if (const auto range = spec.number("clip")) view.limit = clip_or_none(*range);
  if (const auto p = spec.number("threshold")) {
    view.limit = dynamic_limit(*p, spec.number("threshold_max").value_or(10));
  } else if (spec.value("threshold_max")) {
    throw Error("[plan] threshold_max of '{}': got no threshold, expected one; try threshold=0.995",
                spec.text());
  }
  // In Langevin dynamics eps is the step size.
  if (knows(sampler, "clip") && spec.value("eps")) {
    view.eps_from = static_cast<EpsFrom>(*spec.choice("eps", kEpsFrom));
  }
  return view;
}

void check_keys(const Spec& spec, const Sampler& sampler) {
  std::vector<std::string_view> known;
  for (const Keys keys : sampler.keys) {
    for (const KeyHelp& k : keys) known.push_back(k.key);
  }
  spec.check_keys(known);
}

}  // namespace

double Request::number(std::string_view key, double usual) const {
  return spec.number(key).value_or(usual);
}

double Request::number(std::string_view key, double usual, double low, double high) const {
  const double value = number(key, usual);
  if (!(low <= value && value <= high)) {
    throw Error("[plan] {} of '{}': got {}, expected {}..{}", key, spec.text(), value, low, high);
  }
  return value;
}

int Request::whole(std::string_view key, int usual, int low, int high) const {
  const double value = number(key, usual);
  if (!(low <= value && value <= high) || value != static_cast<int>(value)) {
    throw Error("[plan] {} of '{}': got {}, expected a whole number in {}..{}", key, spec.text(),
                value, low, high);
  }
  return static_cast<int>(value);
}

bool Request::yes(std::string_view key, bool usual) const {
  return spec.choice(key, kNoYes).value_or(usual ? 1 : 0) == 1;
}

Plan parse_plan(const std::string& text, const Schedule& schedule, const ModelView& view) {
  const Spec spec("plan", text);
  std::vector<std::string_view> names;
  for (const Sampler& sampler : samplers()) names.push_back(sampler.name);
  const Sampler& sampler = samplers()[spec.choose_name(names)];
  check_keys(spec, sampler);
  const bool compat = spec.choice("compat", kCompats).value_or(0) == 1;
  const ModelView base = compat ? compat_view(view, sampler.name) : view;
  return sampler.make(
      {spec, sampler.name, Levels(schedule), overridden(base, spec, sampler), compat});
}

std::vector<SamplerHelp> sampler_help() {
  std::vector<SamplerHelp> all;
  for (const Sampler& sampler : samplers()) {
    SamplerHelp help{sampler.name, sampler.what, {}};
    for (const Keys keys : sampler.keys) {
      help.keys.insert(help.keys.end(), keys.begin(), keys.end());
    }
    all.push_back(std::move(help));
  }
  return all;
}

}  // namespace ddpm
