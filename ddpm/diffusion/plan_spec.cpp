#include <algorithm>
#include <string_view>

#include "ddpm/base/error.h"
#include "ddpm/diffusion/plan.h"
#include "ddpm/diffusion/spec.h"

namespace ddpm {
namespace {

constexpr std::string_view kSamplers[] = {"ddpm", "ddim"};
constexpr std::string_view kVariances[] = {"fixed_small", "fixed_large"};  // in the order of
constexpr std::string_view kSpacings[] = {"uniform", "quadratic"};         // their enums
constexpr std::string_view kEpsFrom[] = {"raw", "limited_x0"};

Limit clip_or_none(double range) {
  if (range < 0) {
    throw Error("[plan] clip: got {}, expected 0 (no clipping) or a range; try clip=1", range);
  }
  return range == 0 ? Limit::no_limit() : Limit::clip(range);
}

// What the spec says of the model overrides what the model folder says.
ModelView overridden(ModelView view, const Spec& spec) {
  if (const auto i = spec.choice("variance", kVariances)) view.variance = static_cast<Variance>(*i);
  if (const auto i = spec.choice("eps", kEpsFrom)) view.eps_from = static_cast<EpsFrom>(*i);
  if (const auto range = spec.number("clip")) view.limit = clip_or_none(*range);
  return view;
}

std::vector<int> times_of(const Spec& spec, std::string_view sampler, int usual_calls, int T) {
  const int calls = spec.count().value_or(std::min(usual_calls, T));
  if (calls < 1 || calls > T) {
    throw Error(
        "[plan] {}: got {} network calls, expected 1..{}; try --plan {}:{} or a model trained with "
        "more steps",
        sampler, calls, T, sampler, calls < 1 ? std::min(usual_calls, T) : T);
  }
  const auto spacing = static_cast<Spacing>(spec.choice("spacing", kSpacings).value_or(0));
  return spaced_times(T, calls, spacing);
}

Plan parse_ddpm(const Spec& spec, const Schedule& schedule, const ModelView& view) {
  constexpr std::string_view kKeys[] = {"variance", "spacing", "clip", "eps"};
  spec.check_keys(kKeys);
  const int T = schedule.T();
  return ddpm_plan(schedule, times_of(spec, "ddpm", T, T), overridden(view, spec));
}

Plan parse_ddim(const Spec& spec, const Schedule& schedule, const ModelView& view) {
  constexpr std::string_view kKeys[] = {"eta", "spacing", "clip", "eps"};
  spec.check_keys(kKeys);
  return ddim_plan(schedule, times_of(spec, "ddim", 50, schedule.T()),
                   spec.number("eta").value_or(0), overridden(view, spec));
}

}  // namespace

Plan parse_plan(const std::string& text, const Schedule& schedule, ModelView view) {
  const Spec spec("plan", text);
  return spec.choose_name(kSamplers) == 0 ? parse_ddpm(spec, schedule, view)
                                          : parse_ddim(spec, schedule, view);
}

}  // namespace ddpm
