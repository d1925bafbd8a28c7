#include "ddpm/train/saver.h"

#include <algorithm>
#include <new>

#include "ddpm/train/finite.h"
#include "ddpm/train/train_state.h"

namespace ddpm {
namespace {

constexpr int kMaxFailures = 3;
constexpr std::uint64_t kLogBytes = 1 << 20;

}  // namespace

Saver::Saver(const RunConfig& config, RunFolder& folder, const TrainParts& parts,
             const TimeSampler& times, TrainObserver& observer)
    : config_(config),
      folder_(folder),
      parts_(parts),
      times_(times),
      observer_(observer),
      newest_(folder.start() ? folder.start()->folder : std::filesystem::path()),
      saved_step_(folder.start_step()) {
  if (!config.train.keep_best || !folder.start()) return;
  best_ = read_best_score(folder.start()->folder);
  point_best();
}

void Saver::check_space() const {
  const std::uint64_t one = checkpoint_bytes(parts_.learner.params().all().size());
  // Old checkpoints make room for new ones only after these are whole: one more than is kept must
  // fit, two at first.
  const std::uint64_t more = folder_.checkpoints().list().empty() ? 2 : 1;
  const std::uint64_t needed = more * one + kLogBytes;
  std::error_code unknown;
  const auto space = std::filesystem::space(folder_.path(), unknown);
  if (!unknown && space.available < needed) {
    throw Error(
        ExitCode::resources,
        "[train] start: got {} free bytes in {}, expected {} for checkpoints and logs; try to "
        "free some or another --out",
        space.available, folder_.path().string(), needed);
  }
}

bool Saver::save(std::int64_t step, bool must) {
  if (step == saved_step_) return true;
  if (const std::string bad = first_bad_tensor(parts_.learner, false); !bad.empty()) {
    throw Error(ExitCode::numeric, "[train] step {}: {} is not finite and is not saved; {}", step,
                bad, newest_in_words());
  }
  try {
    write(step);
  } catch (const Error& e) {
    if (e.code() != ExitCode::resources) throw;
    note_failure(step, must, e.what());
    return false;
  } catch (const std::bad_alloc&) {
    note_failure(step, must, "[train] save: out of memory");
    return false;
  }
  failures_ = 0;
  point_best();
  observer_.on_checkpoint(step, newest_);
  return true;
}

void Saver::write(std::int64_t step) {
  const CheckpointInfo info = folder_.info(step);
  const auto files = checkpoint_files({.learner = parts_.learner,
                                       .times = times_,
                                       .model = parts_.model_files(parts_.learner.ema()),
                                       .info = info,
                                       .config = folder_.config(),
                                       .best = best_});
  newest_ =
      folder_.checkpoints().save(info, files, config_.train.keep,
                                 [this](const std::string& text) { observer_.on_warning(text); });
  saved_step_ = step;
}

bool Saver::keep_if_best(std::int64_t step, const Score& score) {
  if (!config_.train.keep_best || !is_better(score, best_)) return false;
  const bool saved = save(step, false);
  best_ = {score, step};  // whatever the disk does: a resumed run must come to the same
  if (saved) point_best();
  return true;
}

void Saver::point_best() {
  if (!best_) return;
  try {
    folder_.checkpoints().point_best(best_->step);
    folder_.checkpoints().prune(config_.train.keep);
  } catch (const Error& e) {
    observer_.on_warning(e.what());
  }
}

void Saver::note_failure(std::int64_t step, bool must, const std::string& why) {
  ++failures_;
  const std::string what = fmt::format(
      "{}; step {} is not saved (failure {} of {}; a checkpoint takes about {} bytes); {}", why,
      step, failures_, kMaxFailures, checkpoint_bytes(parts_.learner.params().all().size()),
      newest_in_words());
  if (must || failures_ >= kMaxFailures) throw Error(ExitCode::resources, "{}", what);
  observer_.on_warning(what + "; training goes on and tries again at the next save");
}

std::string Saver::newest_in_words() const {
  if (newest_.empty()) return "there is no checkpoint yet";
  return "the last good checkpoint is " + newest_.string();
}

}  // namespace ddpm
