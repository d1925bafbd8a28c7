// scheduler_config.json <-> Schedule and ModelView, with the keys and class defaults of diffusers'
// DDPMScheduler.
#include <algorithm>
#include <iterator>
#include <string_view>
#include <utility>

#include "ddpm/diffusion/spec.h"
#include "ddpm/net/json_writer.h"
#include "ddpm/net/key_reader.h"
#include "ddpm/net/model_parts.h"
#include "ddpm/net/problems.h"

namespace ddpm {
namespace {

constexpr int kMaxSteps = 1'000'000;
constexpr int kMostBetas = 50'000;  // what parse_json reads back

// Where a list of betas has a name in ddpm.json, both must mean the same.
Schedule listed_schedule(std::vector<double> betas, const std::string& spec) {
  Schedule listed = Schedule::from_betas(std::move(betas), "trained_betas");
  if (spec.empty()) return listed;
  Schedule named = Schedule::parse(spec);
  bool same = named.T() == listed.T();
  for (int t = 1; same && t <= named.T(); ++t) same = named.beta(t) == listed.beta(t);
  if (!same) throw Error("trained_betas are not the schedule {} of ddpm.json", spec);
  return named;
}

struct Betas {
  int T = 1000;
  double start = 1e-4, end = 0.02;
  std::string kind;
  std::vector<double> listed;
  bool zero_snr = false;
};

Betas read_betas(KeyReader& keys) {
  Betas b;
  b.T = keys.integer("num_train_timesteps", 1000);
  if (b.T < 1 || b.T > kMaxSteps) {
    keys.refuse("num_train_timesteps", keys.find("num_train_timesteps"), "1..1000000");
  }
  b.start = keys.real("beta_start", 1e-4);
  b.end = keys.real("beta_end", 0.02);
  b.kind = keys.word("beta_schedule", "linear");
  const Json* listed = keys.find("trained_betas");
  if (listed != nullptr && !listed->is(Json::Kind::null)) {
    b.listed = keys.reals("trained_betas", {});  // overrules beta_schedule, as in diffusers
    if (listed->is(Json::Kind::array) && listed->items.empty()) {
      keys.refuse("trained_betas", listed, "null or a list of numbers");
    }
  } else {
    keys.only_words("beta_schedule", {"linear", "scaled_linear", "squaredcos_cap_v2", "sigmoid"});
  }
  b.zero_snr = keys.boolean("rescale_betas_zero_snr", false);
  return b;
}

Schedule named_schedule(const Betas& b) {
  if (b.kind == "squaredcos_cap_v2") return Schedule::cosine(b.T);
  if (b.kind == "scaled_linear") return Schedule::quadratic(b.T, b.start, b.end);
  if (b.kind == "sigmoid") return Schedule::sigmoid(b.T, b.start, b.end);
  return Schedule::linear(b.T, b.start, b.end);
}

Schedule make_schedule(const Betas& b, const Extras& extras) {
  const Schedule schedule =
      b.listed.empty() ? named_schedule(b) : listed_schedule(b.listed, extras.schedule);
  return b.zero_snr ? schedule.with_zero_terminal_snr() : schedule;
}

Prediction read_prediction(KeyReader& keys, const Extras& extras) {
  const std::string word = keys.word("prediction_type", "epsilon");
  if (extras.prediction) {  // which both files must name
    if (word != to_string(*extras.prediction)) {
      keys.refuse("prediction_type", keys.find("prediction_type"),
                  fmt::format("{}, as ddpm.json says", to_string(*extras.prediction)));
    }
    return *extras.prediction;
  }
  keys.only_words("prediction_type", {"epsilon", "sample", "v_prediction"});
  return word == "sample"         ? Prediction::x0
         : word == "v_prediction" ? Prediction::v
                                  : Prediction::eps;
}

// fixed_small_log is fixed_small, taken there through a logarithm. `learned` means the variance
// itself to diffusers: only ddpm.json makes it the logarithm. `optimal` is beside fixed_small.
Variance read_variance(KeyReader& keys, const Extras& extras) {
  if (extras.variance == Variance::learned) {
    keys.only_words("variance_type", {"learned"});
    return Variance::learned;
  }
  keys.only_words("variance_type",
                  {"fixed_small", "fixed_small_log", "fixed_large", "learned_range"});
  if (extras.variance) return *extras.variance;
  const std::string word = keys.word("variance_type", "fixed_small");
  return word == "fixed_large"     ? Variance::fixed_large
         : word == "learned_range" ? Variance::learned_range
                                   : Variance::fixed_small;
}

// thresholding, where it is on, replaces clip_sample.
Limit read_limit(KeyReader& keys) {
  const double range = keys.real("clip_sample_range", 1);
  if (!(range > 0)) {
    keys.refuse("clip_sample_range", keys.find("clip_sample_range"), "a positive number");
  }
  const double quantile = keys.real("dynamic_thresholding_ratio", 0.995);
  const double most = keys.real("sample_max_value", 1);
  const bool clip = keys.boolean("clip_sample", true);
  if (!keys.boolean("thresholding", false)) return clip ? Limit::clip(range) : Limit::no_limit();
  if (!(quantile >= 0 && quantile <= 1)) {
    keys.refuse("dynamic_thresholding_ratio", keys.find("dynamic_thresholding_ratio"), "0..1");
  }
  if (!(most >= 1)) keys.refuse("sample_max_value", keys.find("sample_max_value"), "at least 1");
  return Limit::dynamic(quantile, most);
}

ModelView read_view(KeyReader& keys, const Extras& extras) {
  ModelView view;
  view.prediction = read_prediction(keys, extras);
  view.eps_from = extras.eps_from;
  view.variance = read_variance(keys, extras);
  view.limit = read_limit(keys);
  view.mean_eps_squared = extras.mean_eps_squared;
  view.eps_error = extras.eps_error;
  return view;
}

// T numbers where there are any, and always for `optimal`.
void check_measured(const ModelView& view, int T) {
  const auto wrong = [T](const std::vector<double>& numbers) {
    return !numbers.empty() && numbers.size() != static_cast<std::size_t>(T);
  };
  if (wrong(view.mean_eps_squared) || wrong(view.eps_error) ||
      (view.variance == Variance::optimal && view.mean_eps_squared.empty())) {
    throw Error(
        "ddpm.json has {} mean_eps_squared and {} eps_error for variance {}, expected {} each",
        view.mean_eps_squared.size(), view.eps_error.size(), to_string(view.variance), T);
  }
}

// What other values would make another sampler.
void refuse_variants(KeyReader& keys) {
  keys.only_words("_class_name", {"DDPMScheduler", "DDIMScheduler"});
  keys.only_words("timestep_spacing", {"leading", "linspace", "trailing"});
  keys.only_number("steps_offset", 0);
  keys.only_bool("set_alpha_to_one", true);
}

std::string_view prediction_word(Prediction prediction) {
  switch (prediction) {
    case Prediction::eps:
      return "epsilon";
    case Prediction::x0:
      return "sample";
    case Prediction::v:
      return "v_prediction";
    default:
      return to_string(prediction);  // diffusers then refuses it by name, which is right
  }
}

// Beside `optimal`, which ddpm.json names, the nearest that diffusers has.
std::string variance_word(Variance variance) {
  return std::string(to_string(variance == Variance::optimal ? Variance::fixed_small : variance));
}

Json beta_list(const Schedule& schedule) {
  if (schedule.T() > kMostBetas) {
    throw Error(
        "[net] scheduler_config.json: got {} betas that no beta_schedule names, expected at most "
        "{}; try "
        "a linear, quadratic, sigmoid or cosine schedule",
        schedule.T(), kMostBetas);
  }
  std::vector<Json> betas;
  for (int t = 1; t <= schedule.T(); ++t) betas.push_back(json_real(schedule.beta(t)));
  return json_list(std::move(betas));
}

}  // namespace

Process read_scheduler_config(const Json& json, const std::string& file, const Extras& extras,
                              Warnings& warnings) {
  KeyReader keys(json, file);
  const Betas betas = read_betas(keys);
  const ModelView view = read_view(keys, extras);
  refuse_variants(keys);
  const std::string spacing = keys.word("timestep_spacing", "leading");
  std::ranges::copy(keys.finish(), std::back_inserter(warnings));
  if (spacing != "leading") {
    warnings.push_back(
        fmt::format("{}: timestep_spacing {} is left to the plan; try --plan ddim:50,spacing={}",
                    file, spacing, spacing));
  }
  return as_bad_input(file, [&]() -> Process {
    Schedule schedule = make_schedule(betas, extras);
    check_measured(view, schedule.T());
    return {std::move(schedule), view};
  });
}

std::optional<NamedBetas> diffusers_betas(const Schedule& schedule) {
  NamedBetas named;
  std::string_view spec = schedule.spec();
  constexpr std::string_view kZeroSnr = ",zero_snr=yes";
  named.zero_snr = spec.ends_with(kZeroSnr);
  if (named.zero_snr) spec.remove_suffix(kZeroSnr.size());
  if (spec == fmt::format("cosine:{}", schedule.T())) {
    named.beta_schedule = "squaredcos_cap_v2";
    return named;
  }
  constexpr std::pair<std::string_view, std::string_view> kNames[] = {
      {"linear:", "linear"}, {"quadratic:", "scaled_linear"}, {"sigmoid:", "sigmoid"}};
  for (const auto& [ours, theirs] : kNames) {
    if (!spec.starts_with(ours)) continue;
    const Spec parsed("schedule", std::string(spec));
    named.beta_schedule = theirs;
    named.start = parsed.number("beta_1").value_or(named.start);
    named.end = parsed.number("beta_T").value_or(named.end);
    return named;
  }
  return {};
}

Json scheduler_config_json(const Schedule& schedule, const ModelView& view) {
  const std::optional<NamedBetas> named = diffusers_betas(schedule);
  const NamedBetas betas = named.value_or(NamedBetas{.beta_schedule = "linear"});
  const bool dynamic = view.limit.kind == Limit::Kind::quantile;
  const bool clip = view.limit.kind == Limit::Kind::clip;
  return json_object({
      {"_class_name", json_string("DDPMScheduler")},
      {"_diffusers_version", json_string(kDiffusersVersion)},
      {"beta_end", json_real(betas.end)},
      {"beta_schedule", json_string(betas.beta_schedule)},
      {"beta_start", json_real(betas.start)},
      {"clip_sample", json_bool(clip)},
      {"clip_sample_range", json_real(clip ? view.limit.range : 1)},
      {"dynamic_thresholding_ratio", json_real(dynamic ? view.limit.quantile : 0.995)},
      {"num_train_timesteps", json_integer(schedule.T())},
      {"prediction_type", json_string(std::string(prediction_word(view.prediction)))},
      {"rescale_betas_zero_snr", json_bool(betas.zero_snr)},
      {"sample_max_value", json_real(dynamic ? view.limit.range : 1)},
      {"steps_offset", json_integer(0)},
      {"thresholding", json_bool(dynamic)},
      {"timestep_spacing", json_string("leading")},
      {"trained_betas", named ? Json{} : beta_list(schedule)},
      {"variance_type", json_string(variance_word(view.variance))},
  });
}

}  // namespace ddpm
