#include "ddpm/train/loop.h"

#include <chrono>
#include <cmath>
#include <csignal>

#include "ddpm/image/png.h"
#include "ddpm/train/algorithm1.h"
#include "ddpm/train/batch_gradient.h"
#include "ddpm/train/classification.h"
#include "ddpm/train/finite.h"
#include "ddpm/train/metrics.h"
#include "ddpm/train/samples.h"
#include "ddpm/train/saver.h"
#include "ddpm/train/train_state.h"

namespace ddpm {
namespace {

constexpr int kDenoiserBatch =
    16;  // images at a time in evaluation and sampling; values do not depend on it

/// Seconds a step, smoothed over about the last twenty.
class Pace {
 public:
  double update(double seconds) {
    constexpr double kNew = 0.05;
    smooth_ = smooth_ == 0 ? seconds : (1 - kNew) * smooth_ + kNew * seconds;
    return smooth_;
  }

 private:
  double smooth_ = 0;
};

std::unique_ptr<Task> make_task(const RunConfig& config, const TrainParts& parts,
                                TimeSampler& times) {
  if (config.classifier) {
    return std::make_unique<Classification>(config, parts.data, parts.held_out, parts.schedule,
                                            times);
  }
  return std::make_unique<Algorithm1>(config, parts.data, parts.held_out, parts.schedule, times);
}

class TrainingRun {
 public:
  TrainingRun(const RunConfig& config, const TrainOptions& options, RunFolder& folder,
              const TrainParts& parts, TrainObserver& observer)
      : config_(config),
        train_(config.train),
        signal_(options.signal),
        folder_(folder),
        parts_(parts),
        observer_(observer),
        times_(make_time_sampler(config.diffusion.time_sampler, parts.schedule)),
        saver_(config, folder, parts, *times_, observer),
        task_(make_task(config, parts, *times_)),
        gradient_(train_, parts.data.size(), *task_, parts.pool),
        metrics_(folder.metrics_file(), folder.start_step()),
        step_(folder.start_step()) {}

  // Reports of a step come after its checkpoint, so that a signal during a long sampling loses
  // nothing; a resumed run makes up for those of its first step that are missing.
  TrainOutcome run() {
    saver_.check_space();
    if (folder_.start())
      restore(parts_.learner, *times_, folder_.start()->folder, parts_.weight_file);
    observer_.on_start(step_ + 1, static_cast<std::int64_t>(parts_.learner.params().all().size()));
    Missing missing = missing_reports();
    for (;;) {
      report(missing);
      if (ending_signal() != 0 || step_ >= train_.steps) break;
      take_step();
      const bool asked = asked_to_save();
      if (asked || step_ % train_.save_every == 0) save(false);
      missing = {};
    }
    save(true);
    return {.step = step_, .signal = ending_signal(), .checkpoint = saver_.newest()};
  }

 private:
  // Reports of the present step that the run folder lacks.
  struct Missing {
    bool evaluation = true, samples = true, score = true;
  };

  // Of the step to go on from. Its score may have come after its checkpoint.
  Missing missing_reports() {
    std::error_code unknown;
    Missing missing{.evaluation = !metrics_.evaluated(),
                    .samples = !std::filesystem::exists(folder_.sample_file(step_), unknown)};
    if (!parts_.scorer) return missing;
    const auto& known = metrics_.score();
    missing.score = !known || known->of != score_name(config_, *parts_.scorer);
    if (!missing.score) saver_.keep_if_best(step_, *known);
    return missing;
  }

  int ending_signal() const {
    const int signal = signal_ ? signal_->load() : 0;
    return signal == SIGUSR1 ? 0 : signal;
  }

  bool asked_to_save() {
    int expected = SIGUSR1;
    return signal_ && signal_->compare_exchange_strong(expected, 0);
  }

  bool due(std::int64_t every) const {
    return every > 0 && step_ > 0 && (step_ % every == 0 || step_ >= train_.steps);
  }

  void save(bool must) {
    if (!metrics_.sync()) observer_.on_warning(log_is_behind());
    saver_.save(step_, must);
  }

  std::string log_is_behind() const {
    return fmt::format("[train] {}: cannot be written now; its lines wait in memory",
                       folder_.metrics_file().string());
  }

  void take_step() {
    const auto begin = std::chrono::steady_clock::now();
    const std::int64_t step = step_ + 1;
    const double loss = gradient_.accumulate(parts_.learner, step);
    if (!std::isfinite(loss)) {
      fail_numeric(step, loss, global_norm(parts_.learner.gradients()));
    }
    const AdamStep adam = adam_step(train_, step);
    const double norm = parts_.learner.update(adam);
    if (!std::isfinite(norm)) fail_numeric(step, loss, norm);
    step_ = step;
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
    log_step(loss, norm, adam.learning_rate, seconds.count());
  }

  [[noreturn]] void fail_numeric(std::int64_t step, double loss, double norm) {
    const std::string bad = first_bad_tensor(parts_.learner, true);
    throw Error(
        ExitCode::numeric,
        "[train] step {}: got loss {} and gradient norm {}, expected finite numbers; first bad "
        "tensor: {}; {}; try a lower train.learning_rate",
        step, loss, norm, bad.empty() ? "none, but the network's output" : bad,
        saver_.newest_in_words());
  }

  void log_step(double loss, double norm, double learning_rate, double seconds) {
    metrics_.append(to_json({.step = step_,
                             .loss = loss,
                             .gradient_norm = norm,
                             .learning_rate = learning_rate,
                             .images = step_ * train_.batch,
                             .seconds = seconds}));
    const double pace = pace_.update(seconds);
    observer_.on_step({.step = step_,
                       .steps = train_.steps,
                       .loss = loss,
                       .gradient_norm = norm,
                       .learning_rate = learning_rate,
                       .images_per_second = train_.batch / pace,
                       .seconds_left = pace * static_cast<double>(train_.steps - step_)});
  }

  void report(const Missing& missing) {
    const bool evaluation = missing.evaluation && parts_.held_out && due(train_.eval_every);
    const bool samples = missing.samples && !config_.classifier && due(train_.sample_every);
    const bool score_now = missing.score && parts_.scorer && due(train_.score_every);
    if (ending_signal() != 0 || !(evaluation || samples || score_now)) return;
    const auto denoiser = parts_.denoiser(parts_.learner.ema(), kDenoiserBatch);
    if (evaluation) evaluate(*denoiser);
    if (samples) draw(*denoiser);
    if (score_now) score(*denoiser);
  }

  Plan plan_of(const std::string& spec) const {
    return parse_plan(
        spec, parts_.schedule,
        {.prediction = config_.diffusion.prediction, .variance = config_.diffusion.variance});
  }

  void score(Denoiser& denoiser) {
    std::optional<Score> score;
    try {
      score = score_samples(
          config_, plan_of(score_plan(train_)), denoiser, *parts_.scorer,
          [this] { return ending_signal() != 0; },
          [this](std::int64_t n) { observer_.on_scoring(step_, n, train_.score_count); });
    } catch (const Error& e) {  // a score less is no reason to stop
      observer_.on_warning(e.what());
    }
    if (!score) return;
    metrics_.append(to_json(step_, *score));
    if (!metrics_.sync()) observer_.on_warning(log_is_behind());
    observer_.on_score(step_, *score, saver_.keep_if_best(step_, *score));
  }

  void evaluate(Denoiser& denoiser) {
    const auto held_out = task_->evaluate(denoiser, [this] { return ending_signal() != 0; });
    if (!held_out) return;
    metrics_.append(to_json(step_, *held_out));
    observer_.on_eval(step_, *held_out);
  }

  void draw(Denoiser& denoiser) {
    const auto grid =
        sample_grid(plan_of(train_.sample_plan), denoiser, train_.sample_count, train_.seed,
                    config_.net.num_classes, [this] { return ending_signal() != 0; });
    if (!grid) return;
    const auto path = folder_.sample_file(step_);
    try {
      make_folders(path.parent_path());
      write_png(path, *grid);
    } catch (const Error& e) {  // a picture less is no reason to stop
      if (e.code() != ExitCode::resources) throw;
      observer_.on_warning(e.what());
      return;
    }
    observer_.on_samples(step_, path, *grid);
  }

  const RunConfig& config_;
  const TrainConfig& train_;
  std::atomic<int>* signal_;
  RunFolder& folder_;
  const TrainParts& parts_;
  TrainObserver& observer_;
  std::unique_ptr<TimeSampler> times_;
  Saver saver_;
  std::unique_ptr<Task> task_;
  BatchGradient gradient_;
  MetricsLog metrics_;
  Pace pace_;
  std::int64_t step_;
};

}  // namespace

TrainOutcome train_with(const RunConfig& config, const TrainOptions& options, RunFolder& folder,
                        const TrainParts& parts, TrainObserver& observer) {
  return TrainingRun(config, options, folder, parts, observer).run();
}

}  // namespace ddpm
