// How losses are written, and which choices are known to train badly.
#include <iterator>
#include <string_view>

#include "ddpm/base/error.h"
#include "ddpm/diffusion/objective.h"
#include "ddpm/diffusion/spec.h"

namespace ddpm {
namespace {

constexpr std::string_view kLosses[] = {"simple",  "kl", "rescaled_kl", "hybrid",
                                        "min_snr", "p2", "vdm"};  // in the order of the enum
constexpr std::string_view kDecoders[] = {"exact", "tanh"};

// The keys that a loss has.
std::vector<std::string_view> keys_of(Loss kind) {
  switch (kind) {
    case Loss::kl:
    case Loss::rescaled_kl:
      return {"decoder"};
    case Loss::hybrid:
      return {"weight", "decoder"};
    case Loss::min_snr:
      return {"gamma"};
    case Loss::p2:
      return {"gamma", "k"};
    default:
      return {};
  }
}

void check_keys(const Spec& spec, Loss kind) {
  const std::vector<std::string_view> keys = keys_of(kind);
  if (spec.count() || (keys.empty() && spec.text() != kLosses[static_cast<int>(kind)])) {
    throw Error("[diffusion] loss: got '{}', expected {}{}; try {}", spec.text(),
                kLosses[static_cast<int>(kind)],
                keys.empty() ? std::string() : fmt::format(",{}=...", keys[0]),
                kLosses[static_cast<int>(kind)]);
  }
  spec.check_keys(keys);
}

bool zero_snr(const Schedule& schedule) { return schedule.alpha_bar(schedule.T()) == 0; }

}  // namespace

LossConfig parse_loss(const std::string& text) {
  const Spec spec("loss", text);
  LossConfig config;
  config.kind = static_cast<Loss>(spec.choose_name(kLosses));
  check_keys(spec, config.kind);
  config.weight = spec.number("weight").value_or(config.weight);
  if (config.kind == Loss::min_snr) {
    config.min_snr_gamma = spec.number("gamma").value_or(config.min_snr_gamma);
  } else {
    config.p2_gamma = spec.number("gamma").value_or(config.p2_gamma);
  }
  config.p2_k = spec.number("k").value_or(config.p2_k);
  config.decoder = static_cast<Decoder>(spec.choice("decoder", kDecoders).value_or(0));
  return config;
}

std::string to_string(const LossConfig& config) {
  const LossConfig usual;
  std::string text(kLosses[static_cast<std::size_t>(config.kind)]);
  const auto say = [&](std::string_view key, double value, double same) {
    if (value != same) text += fmt::format(",{}={}", key, value);
  };
  if (config.kind == Loss::hybrid) say("weight", config.weight, usual.weight);
  if (config.kind == Loss::min_snr) say("gamma", config.min_snr_gamma, usual.min_snr_gamma);
  if (config.kind == Loss::p2) {
    say("gamma", config.p2_gamma, usual.p2_gamma);
    say("k", config.p2_k, usual.p2_k);
  }
  if (has_bound(config.kind) && config.decoder == Decoder::tanh) text += ",decoder=tanh";
  return text;
}

std::string known_instability(const Schedule& schedule, Prediction prediction, Variance variance,
                              const LossConfig& loss, std::string_view time_sampler) {
  using enum Prediction;
  const bool bound = loss.kind == Loss::kl || loss.kind == Loss::rescaled_kl;
  if (zero_snr(schedule) && (prediction == eps || prediction == score)) {
    return fmt::format(
        "prediction {} with alpha_bar(T) = 0: x_T tells nothing of x0 through it (Lin et al. 2023, "
        "Sec. 3.2); try v",
        to_string(prediction));
  }
  if (variance == Variance::learned && bound && prediction == eps) {
    return "eps with a learned variance trained by the bound: unstable (Ho et al. 2020, Table 2); "
           "try "
           "variance learned_range with loss hybrid, or a fixed variance";
  }
  if (variance == Variance::learned && bound) {
    return fmt::format(
        "{} with a learned variance trained by the bound: unstable or poor samples (Ho et al. "
        "2020, "
        "Sec. 4.2 and Table 2); try variance learned_range with loss hybrid, or a fixed variance",
        to_string(prediction));
  }
  if (prediction == mu && !bound) {
    return "mu with an unweighted squared error: unstable, out-of-range samples (Ho et al. 2020, "
           "Table "
           "2); try loss kl, or prediction eps";
  }
  if (prediction == score && (loss.kind == Loss::simple || loss.kind == Loss::hybrid)) {
    return "score with an unweighted squared error: the target grows as 1 / sqrt(1 - alpha_bar), "
           "so t "
           "near 1 is all that trains; try loss kl or p2, or prediction eps";
  }
  if (prediction == x0 && (loss.kind == Loss::simple || loss.kind == Loss::hybrid)) {
    return "x0 with an unweighted squared error: worse samples in the paper's experiments (Ho et "
           "al. "
           "2020, Sec. 3.2); try loss min_snr, or prediction eps or v";
  }
  if (bound && is_learned(variance) && !time_sampler.starts_with("loss_second_moment")) {
    return "the bound as the loss: its gradient is noisy (Nichol & Dhariwal 2021, Sec. 3.3); try "
           "time "
           "sampling loss_second_moment, or loss hybrid";
  }
  return {};
}

}  // namespace ddpm
