// ddpm train CONFIG.toml
#include <csignal>
#include <cstring>
#include <optional>

#include "ddpm/base/error.h"
#include "ddpm/cli/commands.h"
#include "ddpm/cli/options.h"
#include "ddpm/cli/output.h"
#include "ddpm/cli/progress.h"
#include "ddpm/cli/signals.h"
#include "ddpm/cli/train_scorer.h"
#include "ddpm/train/trainer.h"

namespace ddpm::cli {
namespace {

struct TrainArgs {
  std::string config, out, resume = "auto";
  std::vector<std::string> set;
  int threads = 0;
};

// The grid's first row: enough to see how it goes.
Image first_row(const Image& grid, int image_height) {
  Image row = grid;
  row.height = std::min(grid.height, image_height + 4);  // with a gap of two pixels on both sides
  row.pixels.resize(static_cast<std::size_t>(row.height) * row.width * row.channels);
  return row;
}

class Console : public TrainObserver {
 public:
  explicit Console(const RunConfig& config) : config_(config) {}

  void on_start(std::int64_t first_step, std::int64_t parameters) override {
    const std::int64_t done = std::max<std::int64_t>(first_step - 1, 0);
    print_note(fmt::format("train: {}, {} of {}{}", counted(parameters, "parameter"),
                           counted(config_.train.steps, "step"),
                           counted(config_.train.batch, "image"),
                           done ? fmt::format(", going on after step {}", done) : ""));
    progress_.emplace("train", config_.train.steps, done);
  }

  void on_step(const StepReport& report) override {
    if (!progress_) return;
    progress_->update(report.step, fmt::format("loss={:.4f}, {:.0f} images/s{}", report.loss,
                                               report.images_per_second, score_));
  }

  void on_scoring(std::int64_t step, std::int64_t drawn, std::int64_t count) override {
    if (progress_) progress_->update(step, fmt::format("scoring, {}/{} samples", drawn, count));
  }

  void on_score(std::int64_t step, const Score& score, bool best) override {
    score_ = fmt::format(", score={:.4g}", score.value);
    say(fmt::format("step {}: {:.6g}{}, {}", step, score.value, best ? ", the best so far" : "",
                    score.of));
  }

  void on_eval(std::int64_t step, const HeldOut& held_out) override {
    const std::string bits =
        held_out.bits_per_dim ? fmt::format(", about {:.3f} bits/dim", *held_out.bits_per_dim) : "";
    const std::string accuracy =
        held_out.accuracy ? fmt::format(", accuracy {:.2f} %", 100 * *held_out.accuracy) : "";
    say(fmt::format("step {}: held-out loss {:.5f}{}{}", step, held_out.loss, bits, accuracy));
  }

  void on_samples(std::int64_t step, const std::filesystem::path& path,
                  const Image& grid) override {
    say(fmt::format("step {}: samples in {}", step, path.string()));
    const std::string picture = picture_for_stderr(first_row(grid, config_.shape().h));
    if (!picture.empty()) say(picture);
  }

  void on_checkpoint(std::int64_t step, const std::filesystem::path& path) override {
    say(fmt::format("step {}: saved {}", step, path.string()));
  }

  void on_warning(const std::string& text) override { say("ddpm: warning: " + text); }

  // complete: the bar stands at what was done; else it is left as it is.
  void finish(bool complete) {
    if (progress_ && complete) progress_->finish();
    progress_.reset();
  }

 private:
  void say(const std::string& text) {
    if (progress_) return progress_->say(text);
    write_stderr(text + "\n");
  }

  const RunConfig& config_;
  std::optional<Progress> progress_;
  std::string score_;  // the last, for the bar
};

void run_train(const TrainArgs& args) {
  const RunConfig config = read_config(args.config, args.set);
  TrainOptions options;
  options.run = args.out.empty()
                    ? std::filesystem::path("runs") / std::filesystem::path(args.config).stem()
                    : std::filesystem::path(args.out);
  options.resume = args.resume;
  options.threads = args.threads;
  SignalWatch watch(/*usr1=*/true);
  options.signal = watch.flag();
  options.make_scorer = [&](const RunConfig& run, ThreadPool& pool) {
    return make_train_scorer(run, pool, [&] { watch.check(); });
  };

  Console console(config);
  const TrainOutcome outcome = train(config, options, console);
  console.finish(outcome.signal == 0);
  put_line("{}", outcome.checkpoint.string());
  if (outcome.signal != 0) {
    print_note(fmt::format("{} after step {}, saved; the same command goes on from there",
                           strsignal(outcome.signal), outcome.step));
    throw Interrupted{outcome.signal};
  }
  if (config.classifier) return;
  print_note(
      fmt::format("next: ddpm sample {} -n 64 -o samples.png", shell_word(options.run.string())));
}

}  // namespace

void add_train(CLI::App& app) {
  auto args = std::make_shared<TrainArgs>();
  auto* command = app.add_subcommand("train", "Train a model (Algorithm 1 of the paper).");
  command->add_option("config", args->config, "CONFIG.toml; see configs/")->required();
  command->add_option("--set", args->set, "TABLE.KEY=VALUE over the file's, e.g. train.steps=1000")
      ->allow_extra_args(false);
  command->add_option("--out", args->out, "run folder; runs/<name of the config> if not given");
  command->add_option("--resume", args->resume, "auto (the run's latest), none, or a checkpoint")
      ->expected(0, 1);
  add_threads(*command, args->threads);
  command->footer(
      "Ctrl-C finishes the step and saves; a second one stops at once. SIGUSR1 saves and goes on.\n"
      "The same command goes on where a run stopped, bit for bit.");
  command->callback([args] { run_train(*args); });
}

}  // namespace ddpm::cli
