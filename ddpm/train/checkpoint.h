// RUN/checkpoints: folders that are either whole or not there, whatever happens while they
// are written.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "ddpm/train/manifest.h"

namespace ddpm {

/// A file of a checkpoint; its bytes are made when it is written, so that one tensor file at a time
/// is in memory.
struct CheckpointFile {
  std::string path;  // within the checkpoint
  /// Called once.
  std::function<std::string()> bytes;
};

struct VerifiedCheckpoint {
  std::filesystem::path folder;
  Manifest manifest;
};

using Warn = std::function<void(const std::string&)>;

/// "step-00000042", and back: none for any other name.
std::string step_name(std::int64_t step);
std::optional<std::int64_t> step_of_name(const std::string& name);

class CheckpointStore {
 public:
  /// run: the run folder. Nothing is created before the first save.
  explicit CheckpointStore(std::filesystem::path run);

  /// step-NNNNNNNN folders, newest first; not verified.
  std::vector<std::filesystem::path> list() const;

  /// Writes step-N.tmp-<pid>/, fsyncs its files and folders, verifies what was written, renames it
  /// to step-N/, fsyncs checkpoints/, points RUN/latest to it, prunes. Until the rename any failure
  /// removes the temporary folder and throws Error (resources); after it, a failure is only a
  /// warning. Never overwrites a checkpoint.
  std::filesystem::path save(const CheckpointInfo& info, const std::vector<CheckpointFile>& files,
                             int keep, const Warn& warn);

  /// Deletes all but the newest `keep` and the best, which point_best() and RUN/best name. The
  /// newest must be known to be good.
  void prune(int keep);

  /// The newest checkpoint that verifies. Broken newer ones are set aside (step-N.broken-K) with a
  /// warning. None when there is no checkpoint; Error (bad_input) when there are some and all are
  /// broken, or the newest needs a newer ddpm.
  std::optional<VerifiedCheckpoint> newest(const Warn& warn);

  /// Makes RUN/latest name `folder`, if it does not already.
  void point_latest(const std::filesystem::path& folder);

  /// Makes RUN/best name the checkpoint of `step`, if it does not already; without such a
  /// checkpoint removes RUN/best where the one that it names is gone. Throws Error (resources);
  /// then try again.
  void point_best(std::int64_t step);

  /// Removes what killed processes left half-written. The caller holds the run folder's lock.
  void remove_leftovers();

 private:
  void point(const char* pointer, const std::filesystem::path& folder);
  /// The checkpoint that RUN/best names; "" = none.
  std::filesystem::path named_best() const;
  void set_aside(const std::filesystem::path& folder, const Warn& warn);

  std::filesystem::path run_, folder_;
  std::filesystem::path best_;  // of point_best(), whether RUN/best could be written or not
};

}  // namespace ddpm
