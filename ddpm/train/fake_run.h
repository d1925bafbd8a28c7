// For tests: a whole run of the loop on the fake learner, in a folder.
#pragma once

#include <stdlib.h>
#include <unistd.h>

#include <atomic>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "ddpm/base/temp_folder.h"
#include "ddpm/net/safetensors.h"
#include "ddpm/train/fake_learner.h"
#include "ddpm/train/loop.h"
#include "ddpm/train/train_state.h"

namespace ddpm {

using Steps = std::vector<std::int64_t>;

/// A run syncs dozens of files; in memory, where there is such a place, that takes no time.
inline const bool kTemporaryInMemory =
    ::access("/dev/shm", W_OK) == 0 && ::setenv("TMPDIR", "/dev/shm", /*overwrite=*/0) == 0;

inline RunConfig fake_config() {
  RunConfig c;
  c.data = {.path = "fake", .eval = "fake", .flip = true, .shift = 0};
  c.net.in_channels = c.net.out_channels = 2;
  c.net.height = c.net.width = 4;
  c.net.block_out_channels = {32, 32};
  c.net.attention = {false, false};
  c.train.steps = 30;
  c.train.batch = 4;
  c.train.learning_rate = 0.01;
  c.train.warmup = 10;
  c.train.save_every = 10;
  c.train.sample_every = 10;
  c.train.eval_every = 5;
  c.train.sample_count = 4;
  c.train.sample_plan = "ddim:2";
  c.train.eval_count = 8;
  c.train.seed = 7;
  return c;
}

/// The model folder of the fake: only the weights.
inline std::map<std::string, std::string> fake_model_files(const Params& average) {
  TensorFile file;
  for (const ParamSpec& spec : average.specs()) {
    file.tensors[spec.name] =
        f32_tensor(average.tensor(spec.name), {spec.shape.begin(), spec.shape.end()});
  }
  return {{"unet/config.json", "{}\n"}, {kWeightFile, encode_safetensors(file)}};
}

/// Remembers what it was told; `after_step` may act like the outside world.
class RecordingObserver : public TrainObserver {
 public:
  std::function<void(std::int64_t)> after_step;
  std::vector<std::string> warnings;
  std::vector<std::int64_t> checkpoints, samples, scores, bests;
  std::int64_t first_step = -1;

  void on_start(std::int64_t first, std::int64_t) override { first_step = first; }
  void on_step(const StepReport& r) override {
    if (after_step) after_step(r.step);
  }
  void on_samples(std::int64_t step, const std::filesystem::path&, const Image&) override {
    samples.push_back(step);
  }
  void on_score(std::int64_t step, const Score&, bool best) override {
    scores.push_back(step);
    if (best) bests.push_back(step);
  }
  void on_checkpoint(std::int64_t step, const std::filesystem::path&) override {
    checkpoints.push_back(step);
  }
  void on_warning(const std::string& text) override { warnings.push_back(text); }
};

/// The mean square of all that is drawn, or what a test wants it to be. A sample is drawn as soon
/// as the one before it was looked at.
class FakeScorer : public Scorer {
 public:
  std::function<double(double)> change = [](double value) { return value; };
  std::int64_t drawn = 0;

  std::string name() const override { return "mean square"; }
  double score(std::int64_t count, const DrawSamples& draw) override {
    double sum = 0;
    for (std::int64_t i = 0; i < count; ++i, ++drawn) {
      for (const float x : draw(i, 1)) sum += x * x;
    }
    return change(sum);
  }
};

/// Everything a run needs, with knobs.
struct FakeRun {
  RunConfig config = fake_config();
  FakeData data{{2, 4, 4}, 10}, held_out{{2, 4, 4}, 9};
  Schedule schedule = Schedule::linear();
  FakeLearner learner{{2, 4, 4}};
  ThreadPool pool{1};
  FakeScorer scorer;
  RecordingObserver observer;
  std::atomic<int> signal{0};
  TrainOptions options;

  explicit FakeRun(const std::filesystem::path& run) {
    options.run = run;
    options.signal = &signal;
  }

  TrainOutcome train() { return train(observer); }

  TrainOutcome train(TrainObserver& told) {
    RunFolder folder(options.run, options.resume, config,
                     [this](const std::string& text) { observer.on_warning(text); });
    const TrainParts parts{.data = data,
                           .held_out = &held_out,
                           .schedule = schedule,
                           .learner = learner,
                           .pool = pool,
                           .denoiser =
                               [](const Params& weights, int max_batch) {
                                 return std::make_unique<FakeDenoiser>(Shape{2, 4, 4}, weights,
                                                                       max_batch);
                               },
                           .model_files = fake_model_files,
                           .scorer = config.train.score_every > 0 ? &scorer : nullptr};
    return train_with(config, options, folder, parts, told);
  }
};

inline std::string slurp(const std::filesystem::path& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

/// Every file below a folder, path -> bytes; `.lock` left out, and the seconds of metrics.jsonl.
inline std::map<std::string, std::string> snapshot(const std::filesystem::path& folder) {
  std::map<std::string, std::string> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    const std::string name = std::filesystem::relative(entry.path(), folder).string();
    if (!entry.is_regular_file() || name == ".lock") continue;
    std::string bytes = slurp(entry.path());
    if (name == "metrics.jsonl") {
      for (std::size_t at = 0; (at = bytes.find(",\"seconds\":", at)) != std::string::npos;) {
        bytes.erase(at, bytes.find('}', at) - at);
      }
    }
    files[name] = bytes;
  }
  return files;
}

inline std::vector<std::string> names(const std::map<std::string, std::string>& files) {
  std::vector<std::string> result;
  for (const auto& [name, bytes] : files) result.push_back(name);
  return result;
}

}  // namespace ddpm
