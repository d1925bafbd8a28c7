// Saving checkpoints in a running training: what is checked before, and what happens when the disk
// does not cooperate.
#pragma once

#include <filesystem>
#include <optional>

#include "ddpm/diffusion/time_sampler.h"
#include "ddpm/train/loop.h"

namespace ddpm {

class Saver {
 public:
  Saver(const RunConfig& config, RunFolder& folder, const TrainParts& parts,
        const TimeSampler& times, TrainObserver& observer);

  /// Throws Error (resources) unless the disk has room for two checkpoints and the logs.
  void check_space() const;

  /// Saves the learner as of `step` unless that step is saved already, then deletes old
  /// checkpoints. A failure keeps what is there, warns and returns false; the third in a row, or
  /// any when `must`, throws Error (resources). Throws Error (numeric) rather than save a NaN
  ///
  bool save(std::int64_t step, bool must);

  /// A score of `step`, whose checkpoint RUN/best names from now on if it is the lowest: saved for
  /// that unless it is already. A disk that fails is only a warning, as in save(). Returns whether
  /// it is the lowest.
  bool keep_if_best(std::int64_t step, const Score& score);

  /// The newest good checkpoint; "" = none yet.
  const std::filesystem::path& newest() const { return newest_; }

  /// "the last good checkpoint is ...", for messages.
  std::string newest_in_words() const;

 private:
  void write(std::int64_t step);
  /// Once more at every save: the disk may have been full.
  void point_best();
  void note_failure(std::int64_t step, bool must, const std::string& why);

  const RunConfig& config_;
  RunFolder& folder_;
  const TrainParts& parts_;
  const TimeSampler& times_;
  TrainObserver& observer_;
  std::filesystem::path newest_;
  std::optional<BestScore> best_;  // where the config has keep_best
  std::int64_t saved_step_;
  int failures_ = 0;  // in a row
};

}  // namespace ddpm
