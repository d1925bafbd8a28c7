// RUN/metrics.jsonl: a JSON object a line, for every step, every evaluation and every
// score.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "ddpm/train/score.h"

namespace ddpm {

struct StepMetrics {
  std::int64_t step;
  double loss, gradient_norm, learning_rate;
  std::int64_t images;  // seen so far
  double seconds;       // of this step; the only number that differs from run to run
};

/// The lines, without their newline. Numbers read back to the same doubles.
std::string to_json(const StepMetrics& metrics);
std::string to_json(std::int64_t step, const HeldOut& held_out);
std::string to_json(std::int64_t step, const Score& score);

/// The file, open for appending. A disk that is full does not stop a run: lines wait in memory
/// until they can be written.
class MetricsLog {
 public:
  /// Keeps the lines of steps up to `last_step` and cuts the rest, so that a resumed run's file
  /// reads as if it had never stopped. Throws Error (resources).
  MetricsLog(std::filesystem::path path, std::int64_t last_step);
  ~MetricsLog();
  MetricsLog(const MetricsLog&) = delete;
  MetricsLog& operator=(const MetricsLog&) = delete;

  /// Is there an evaluation of the last step kept?
  bool evaluated() const { return evaluated_; }
  /// The last score of that step.
  const std::optional<Score>& score() const { return score_; }

  /// Returns false while lines are waiting.
  bool append(const std::string& line);

  /// Lines so far survive a power cut. Returns false when they could not be written.
  bool sync();

 private:
  bool flush();

  std::filesystem::path path_;
  std::string waiting_;
  std::int64_t length_ = 0;  // bytes of whole lines in the file
  int fd_ = -1;
  bool evaluated_ = false;
  std::optional<Score> score_;
};

}  // namespace ddpm
