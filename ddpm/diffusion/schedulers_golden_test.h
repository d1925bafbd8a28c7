// The trajectories of diffusers' schedulers, and the specs that give them.
// tests/golden/diffusion/README.md.
#pragma once

#include <fmt/format.h>

#include <string>
#include <vector>

#include "ddpm/diffusion/golden_test.h"
#include "ddpm/diffusion/plan.h"
#include "ddpm/diffusion/plan_interpreter_test.h"

namespace ddpm::golden {

inline bool has(const value& c, const char* key) {
  const value* found = c.as_object().if_contains(key);
  return found != nullptr && !found->is_null();
}
inline bool on(const value& c, const char* key) { return has(c, key) && c.at(key).as_bool(); }
inline double real(const value& c, const char* key, double usual = 0) {
  return has(c, key) && !c.at(key).is_string() ? c.at(key).to_number<double>() : usual;
}
inline std::string word(const value& c, const char* key) {
  return has(c, key) ? text(c.at(key)) : "";
}

inline std::string schedule_spec(const value& config) {
  const std::string kind = word(config, "beta_schedule");
  const int T = config.at("num_train_timesteps").to_number<int>();
  std::string spec = kind == "squaredcos_cap_v2"
                         ? fmt::format("cosine:{}", T)
                         : fmt::format("{}:{},beta_1={},beta_T={}", kind, T,
                                       real(config, "beta_start"), real(config, "beta_end"));
  return spec + (on(config, "rescale_betas_zero_snr") ? ",zero_snr=yes" : "");
}

inline std::string sampler_name(const std::string& scheduler) {
  const std::pair<const char*, const char*> kNames[] = {
      {"DDPMScheduler", "ddpm"},
      {"DDIMScheduler", "ddim"},
      {"DPMSolverMultistepScheduler", "dpmpp"},
      {"DPMSolverSinglestepScheduler", "dpmpp"},
      {"UniPCMultistepScheduler", "unipc"},
      {"DEISMultistepScheduler", "deis"},
      {"EulerDiscreteScheduler", "euler"},
      {"EulerAncestralDiscreteScheduler", "euler_a"},
      {"HeunDiscreteScheduler", "heun"},
      {"LMSDiscreteScheduler", "lms"},
      {"PNDMScheduler", "pndm"},
  };
  for (const auto& [theirs, ours] : kNames) {
    if (scheduler == theirs) return ours;
  }
  throw std::runtime_error("no sampler for " + scheduler);
}

/// The keys of one scheduler's configuration. docs/samplers.md has the same table.
inline std::string solver_keys(const value& q, const std::string& sampler) {
  std::string keys;
  const auto add = [&](const char* key, const std::string& v) {
    if (!v.empty()) keys += fmt::format(",{}={}", key, v);
  };
  const auto yes_no = [](bool yes) { return std::string(yes ? "yes" : "no"); };
  if (has(q, "solver_order")) add("order", std::to_string(q.at("solver_order").to_number<int>()));
  if (sampler == "dpmpp") add("algorithm", word(q, "algorithm_type"));
  if (sampler == "dpmpp" || sampler == "unipc") add("type", word(q, "solver_type"));
  if (has(q, "lower_order_final")) add("lower_order_final", yes_no(on(q, "lower_order_final")));
  if (on(q, "euler_at_final")) add("euler_at_final", "yes");
  if (has(q, "predict_x0")) add("of", on(q, "predict_x0") ? "x0" : "eps");
  const double lambda_min = real(q, "lambda_min_clipped", -1e300);
  if (lambda_min > -1e300) add("lambda_min", fmt::format("{}", lambda_min));
  if (has(q, "skip_prk_steps")) add("runge_kutta", yes_no(!on(q, "skip_prk_steps")));
  if (has(q, "set_alpha_to_one")) add("final_alpha", on(q, "set_alpha_to_one") ? "one" : "first");
  if (has(q, "final_sigmas_type")) add("final", word(q, "final_sigmas_type"));
  return keys;
}

inline std::string spacing_keys(const value& q, const std::string& sampler) {
  const std::string spacing = has(q, "timestep_spacing") ? word(q, "timestep_spacing") : "linspace";
  const char* curve = on(q, "use_karras_sigmas")        ? "karras"
                      : on(q, "use_exponential_sigmas") ? "exponential"
                                                        : nullptr;
  std::string keys;
  if (curve != nullptr) {
    keys = fmt::format(",spacing={}", curve);
    const bool in_sigma = sampler == "euler" || sampler == "heun" || sampler == "lms";
    if (in_sigma) keys += ",ends=" + spacing;  // the others run between the schedule's ends
    for (const char* key : {"sigma_min", "sigma_max"}) {
      if (has(q, key)) keys += fmt::format(",{}={}", key, real(q, key));
    }
    return keys;
  }
  keys = ",spacing=" + spacing;
  const double offset = real(q, "steps_offset");
  if (spacing == "leading" && offset != 0) keys += fmt::format(",offset={}", offset);
  return keys;
}

inline std::string limit_keys(const value& q, const std::string& sampler) {
  if (on(q, "thresholding")) {
    return fmt::format(",threshold={},threshold_max={}", real(q, "dynamic_thresholding_ratio"),
                       real(q, "sample_max_value"));
  }
  const bool clips = sampler == "ddpm" || sampler == "ddim" || sampler == "heun";
  if (!clips) return "";
  return fmt::format(",clip={}", on(q, "clip_sample") ? real(q, "clip_sample_range", 1) : 0);
}

inline std::string step_keys(const value& c, const std::string& sampler) {
  std::string keys;
  const value& args = c.at("step_args");
  const std::pair<const char*, const char*> kNumbers[] = {{"eta", "eta"},
                                                          {"s_churn", "churn"},
                                                          {"s_tmin", "churn_min"},
                                                          {"s_tmax", "churn_max"},
                                                          {"s_noise", "noise"}};
  for (const auto& [theirs, ours] : kNumbers) {
    if (has(args, theirs)) keys += fmt::format(",{}={}", ours, real(args, theirs));
  }
  if (on(args, "use_clipped_model_output")) keys += ",eps=limited_x0";
  if (sampler == "lms" && has(args, "order")) keys += fmt::format(",order={}", real(args, "order"));
  return keys;
}

inline std::string plan_spec(const value& c) {
  const value& q = c.at("config");
  const std::string scheduler = text(c.at("scheduler")), sampler = sampler_name(scheduler);
  std::string spec =
      fmt::format("{}:{},compat=diffusers", sampler, c.at("num_inference_steps").to_number<int>());
  spec += solver_keys(q, sampler) + limit_keys(q, sampler) + step_keys(c, sampler);
  spec += spacing_keys(q, sampler);
  if (scheduler == "DPMSolverSinglestepScheduler") spec += ",singlestep=yes";
  if (sampler == "ddpm") {  // fixed_small_log is the same deviation by way of a logarithm
    const std::string variance = word(q, "variance_type");
    spec += ",variance=" + (variance == "fixed_small_log" ? "fixed_small" : variance);
  }
  return spec;
}

inline ModelView plan_view(const value& c) {
  const std::string type = word(c.at("config"), "prediction_type");
  ModelView view;
  view.prediction = type == "v_prediction" ? Prediction::v
                    : type == "sample"     ? Prediction::x0
                                           : Prediction::eps;
  return view;
}

inline Plan plan_of(const value& c) {
  const Schedule schedule = Schedule::parse(schedule_spec(c.at("config")));
  return parse_plan(plan_spec(c), schedule, plan_view(c));
}

/// The draws before each row: diffusers' noise is numbered by draw, ours by row.
inline std::vector<int> draws_before(const Plan& plan) {
  std::vector<int> draws;
  int count = 0;
  for (const Row& row : plan) {
    draws.push_back(count);
    for (const Update& update : row.updates) count += update.c_z != 0 ? 1 : 0;
  }
  return draws;
}

/// The network's output at x, with the variance channels where the case has them.
inline Vector outputs(const value& c, const Vector& x, double time) {
  Vector out;
  for (const double v : x) out.push_back(model(v, time));
  if (!c.at("learned_variance_output").as_bool()) return out;
  for (const double v : x) out.push_back(std::sin(0.7 * v + time / 250));
  return out;
}

inline std::vector<value> scheduler_cases() {
  std::vector<value> all;
  for (const char* file : {"schedulers.json", "schedulers_more.json"}) {
    const value document = load(file);
    for (const value& c : document.at("cases").as_array()) all.push_back(c);
  }
  return all;
}

}  // namespace ddpm::golden
