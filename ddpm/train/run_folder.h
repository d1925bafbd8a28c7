// A run folder, taken by one process: its lock, its config, the checkpoint to go on from.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "ddpm/base/file.h"
#include "ddpm/train/checkpoint.h"
#include "ddpm/train/config.h"

namespace ddpm {

class RunFolder {
 public:
  /// Creates and locks `run`, removes what dead processes left, finds the checkpoint that
  /// `resume` means (see TrainOptions) and checks that it was made with this config, and writes
  /// config.toml when the run is new. Throws Error: usage (in use, other config, `none` with
  /// checkpoints, later checkpoints than the one named), bad_input (broken checkpoint), resources
  /// (disk).
  RunFolder(std::filesystem::path run, const std::string& resume, const RunConfig& config,
            const Warn& warn);

  const std::filesystem::path& path() const { return run_; }
  CheckpointStore& checkpoints() { return checkpoints_; }
  const std::optional<VerifiedCheckpoint>& start() const { return start_; }

  /// 0 for a new run.
  std::int64_t start_step() const { return start_ ? start_->manifest.info.step : 0; }

  std::filesystem::path metrics_file() const { return run_ / "metrics.jsonl"; }
  std::filesystem::path sample_file(std::int64_t step) const;

  /// What checkpoints of this run carry.
  const std::string& config() const { return config_; }
  CheckpointInfo info(std::int64_t step) const;

 private:
  void choose_start(const std::string& resume, const Warn& warn);
  VerifiedCheckpoint open_named(const std::filesystem::path& folder) const;
  void check_config() const;
  void remove_later_samples() const;

  std::filesystem::path run_;
  FolderLock lock_;
  CheckpointStore checkpoints_;
  std::string config_;
  std::optional<VerifiedCheckpoint> start_;
};

}  // namespace ddpm
