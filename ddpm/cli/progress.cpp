#include "ddpm/cli/progress.h"

#include <fmt/format.h>

#include <algorithm>

#include "ddpm/cli/output.h"

namespace ddpm::cli {
namespace {

constexpr std::chrono::milliseconds kTerminalPeriod{100};
constexpr int kMinBar = 4;

// tqdm turns slow rates over.
std::string rate_form(double rate) {
  if (rate <= 0) return "?it/s";
  return rate >= 1 ? fmt::format("{:.1f}it/s", rate) : fmt::format("{:.2f}s/it", 1 / rate);
}

// `width` characters, in eighths.
std::string bar(double fraction, int width) {
  static const char* const kEighths[] = {" ", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
  const int eighths = static_cast<int>(fraction * width * 8);
  std::string out;
  for (int i = 0; i < width; ++i) {
    const int left = eighths - 8 * i;
    out += left >= 8 ? "█" : kEighths[std::max(left, 0)];
  }
  return out;
}

}  // namespace

std::string clock_form(double seconds) {
  if (!(seconds >= 0) || seconds > 1e9) return "?";
  const auto s = static_cast<std::int64_t>(seconds);
  if (s < 3600) return fmt::format("{:02}:{:02}", s / 60, s % 60);
  return fmt::format("{}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60);
}

std::string progress_line(const ProgressView& view, int columns) {
  const double fraction =
      std::clamp(static_cast<double>(view.done) / std::max<std::int64_t>(view.total, 1), 0.0, 1.0);
  const std::string head = fmt::format("{}: {:3}%", view.name, static_cast<int>(100 * fraction));
  std::string tail = fmt::format(" {}/{} [{}<{}, {}{}{}]", view.done, view.total,
                                 clock_form(view.seconds), clock_form(view.seconds_left),
                                 rate_form(view.rate), view.note.empty() ? "" : ", ", view.note);
  if (columns == 0) return head + tail;
  const int room = columns - static_cast<int>(head.size() + tail.size()) - 2;
  if (room >= kMinBar) return head + "|" + bar(fraction, room) + "|" + tail;
  const std::string line = head + tail;
  return line.substr(0, std::max(columns, 0));
}

Progress::Progress(std::string name, std::int64_t total, std::int64_t first,
                   std::chrono::milliseconds log_period)
    : name_(std::move(name)),
      total_(total),
      first_(first),
      done_(first),
      terminal_(stderr_is_terminal()),
      period_(terminal_ ? kTerminalPeriod : log_period),
      start_(Clock::now()),
      last_(terminal_ ? start_ - kTerminalPeriod : start_) {}

Progress::~Progress() {
  if (drawn_ && terminal_ && !finished_) write_stderr("\n");
}

ProgressView Progress::view() const {
  ProgressView view{name_, done_, total_, 0, -1, 0, note_};
  view.seconds = std::chrono::duration<double>(Clock::now() - start_).count();
  if (done_ > first_ && view.seconds > 0) {
    view.rate = static_cast<double>(done_ - first_) / view.seconds;
    view.seconds_left = static_cast<double>(total_ - done_) / view.rate;
  }
  return view;
}

void Progress::update(std::int64_t done, const std::string& note) {
  if (done != done_ || note != note_) shown_ = false;
  done_ = done;
  note_ = note;
  const auto now = Clock::now();
  if (finished_ || now - last_ < period_) return;
  last_ = now;
  draw();
}

void Progress::draw() {
  shown_ = true;
  if (!terminal_) return write_stderr(progress_line(view(), 0) + "\n");
  clear();
  write_stderr(progress_line(view(), terminal_columns() - 1));
  drawn_ = true;
}

void Progress::clear() {
  if (drawn_) write_stderr("\r" + std::string(terminal_columns() - 1, ' ') + "\r");
  drawn_ = false;
}

void Progress::say(const std::string& text) {
  if (terminal_) clear();
  write_stderr(text.empty() || text.back() != '\n' ? text + "\n" : text);
  picture_lines_ = 0;
  if (terminal_ && !finished_) draw();
}

void Progress::picture(const std::string& text) {
  if (!terminal_ || finished_ || text.empty()) return;
  clear();
  // "Cursor up" and "erase below" of ECMA-48.
  if (picture_lines_ > 0) write_stderr(fmt::format("\x1b[{}A\x1b[J", picture_lines_));
  write_stderr(text);
  picture_lines_ = std::ranges::count(text, '\n');
  draw();
}

void Progress::finish() {
  if (finished_) return;
  if (terminal_ || !shown_) draw();
  if (terminal_) write_stderr("\n");
  finished_ = true;
}

}  // namespace ddpm::cli
