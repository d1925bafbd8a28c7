// Progress in tqdm's form: a line that moves on a terminal; elsewhere a line every 30 seconds and
// one at the end.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace ddpm::cli {

struct ProgressView {
  std::string name;
  std::int64_t done = 0, total = 1;
  double seconds = 0, seconds_left = 0;  // left below 0: unknown
  double rate = 0;                       // iterations a second; 0: unknown
  std::string note;                      // `loss=0.031`
};

/// `train:  12%|███       | 1200/10000 [00:40<04:51, 30.1it/s, loss=0.031]`, cut or stretched to
/// `columns` characters; without the bar when columns is 0.
std::string progress_line(const ProgressView& view, int columns);

/// 01:05, 1:00:05; `?` below 0.
std::string clock_form(double seconds);

class Progress {
 public:
  /// `first` iterations were done earlier and don't count for the rate.
  /// `log_period` parts the lines where there is no terminal.
  Progress(std::string name, std::int64_t total, std::int64_t first = 0,
           std::chrono::milliseconds log_period = std::chrono::seconds(30));
  ~Progress();  // leaves the cursor on a fresh line
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// Shows what is due; cheap to call often.
  void update(std::int64_t done, const std::string& note = "");

  /// A line (or a picture) of its own, above the bar.
  void say(const std::string& text);

  /// On a terminal, a picture (lines of text) above the bar in place of the last one; elsewhere
  /// nothing.
  void picture(const std::string& text);

  /// Shows the last state whatever was due. Later calls do nothing.
  void finish();

 private:
  using Clock = std::chrono::steady_clock;

  ProgressView view() const;
  void draw();
  void clear();

  std::string name_, note_;
  std::int64_t total_, first_, done_;
  bool terminal_;
  bool drawn_ = false, finished_ = false;
  bool shown_ = false;              // the present state, on a line of a log
  std::int64_t picture_lines_ = 0;  // of the picture right above the bar
  Clock::duration period_;
  Clock::time_point start_, last_;
};

}  // namespace ddpm::cli
