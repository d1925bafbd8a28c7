// scheduler_config.json <-> Schedule and ModelView, with the keys and class defaults of diffusers'
// DDPMScheduler.
#include <algorithm>
#include <iterator>

#include "ddpm/net/json_writer.h"
#include "ddpm/net/key_reader.h"
#include "ddpm/net/model_parts.h"

namespace ddpm {
namespace {

constexpr int kMaxSteps = 1'000'000;
constexpr int kMostListed = 50'000;  // what parse_json reads back

std::vector<double> list_of_betas(KeyReader& keys, const Json& list) {
  std::vector<double> betas;
  for (const Json& item : list.items) {
    if (const auto beta = item.real()) betas.push_back(*beta);
  }
  if (!list.is(Json::Kind::array) || betas.empty() || betas.size() != list.items.size()) {
    keys.refuse("trained_betas", &list, "null or a list of numbers");
  }
  return betas;
}

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
    b.listed = list_of_betas(keys, *listed);  // overrules beta_schedule, as in diffusers
  } else {
    keys.only_words("beta_schedule", {"linear", "squaredcos_cap_v2"});
  }
  return b;
}

Schedule make_schedule(const Betas& b, const Extras& extras) {
  if (!b.listed.empty()) return listed_schedule(b.listed, extras.schedule);
  return b.kind == "linear" ? Schedule::linear(b.T, b.start, b.end) : Schedule::cosine(b.T);
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

ModelView read_view(KeyReader& keys, const Extras& extras) {
  ModelView view;
  view.prediction = read_prediction(keys, extras);
  view.eps_from = extras.eps_from;
  // fixed_small_log is the same standard deviation, taken there through a logarithm.
  keys.only_words("variance_type", {"fixed_small", "fixed_small_log", "fixed_large"});
  const bool large = keys.word("variance_type", "fixed_small") == "fixed_large";
  view.variance = large ? Variance::fixed_large : Variance::fixed_small;
  const double range = keys.real("clip_sample_range", 1);
  if (!(range > 0))
    keys.refuse("clip_sample_range", keys.find("clip_sample_range"), "a positive number");
  view.limit = keys.boolean("clip_sample", true) ? Limit::clip(range) : Limit::no_limit();
  return view;
}

// What other values would make another sampler.
void refuse_variants(KeyReader& keys) {
  keys.only_words("_class_name", {"DDPMScheduler", "DDIMScheduler"});
  keys.only_bool("thresholding", false);
  keys.only_words("timestep_spacing", {"leading"});
  keys.only_number("steps_offset", 0);
  keys.only_bool("rescale_betas_zero_snr", false);
  keys.only_bool("set_alpha_to_one", true);
  keys.ignore({"dynamic_thresholding_ratio", "sample_max_value"});  // of thresholding
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

Json beta_list(const Schedule& schedule) {
  if (schedule.T() > kMostListed) {
    throw Error(
        "[net] scheduler_config.json: got {} betas that no beta_schedule names, expected at most "
        "{}; try "
        "a linear or cosine schedule",
        schedule.T(), kMostListed);
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
  std::ranges::copy(keys.finish(), std::back_inserter(warnings));
  try {
    return {make_schedule(betas, extras), view};
  } catch (const Error& e) {
    throw Error(ExitCode::bad_input, "[net] {}: {}", file, e.what());
  }
}

Json scheduler_config_json(const Schedule& schedule, const ModelView& view) {
  const bool linear = schedule.spec().starts_with("linear:");
  const bool cosine = schedule.spec() == fmt::format("cosine:{}", schedule.T());
  const bool clip = view.limit.kind == Limit::Kind::clip;
  return json_object({
      {"_class_name", json_string("DDPMScheduler")},
      {"_diffusers_version", json_string(kDiffusersVersion)},
      {"beta_end", json_real(linear ? schedule.beta(schedule.T()) : 0.02)},
      {"beta_schedule", json_string(cosine ? "squaredcos_cap_v2" : "linear")},
      {"beta_start", json_real(linear ? schedule.beta(1) : 1e-4)},
      {"clip_sample", json_bool(clip)},
      {"clip_sample_range", json_real(clip ? view.limit.range : 1)},
      {"dynamic_thresholding_ratio", json_real(0.995)},
      {"num_train_timesteps", json_integer(schedule.T())},
      {"prediction_type", json_string(std::string(prediction_word(view.prediction)))},
      {"rescale_betas_zero_snr", json_bool(false)},
      {"sample_max_value", json_real(1)},
      {"steps_offset", json_integer(0)},
      {"thresholding", json_bool(false)},
      {"timestep_spacing", json_string("leading")},
      {"trained_betas", linear || cosine ? Json{} : beta_list(schedule)},
      {"variance_type", json_string(std::string(to_string(view.variance)))},
  });
}

}  // namespace ddpm
