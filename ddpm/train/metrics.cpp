#include "ddpm/train/metrics.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <utility>

#include "ddpm/base/file.h"
#include "ddpm/net/json_writer.h"

namespace ddpm {
namespace {

// Only our own lines are understood: they start with the step and end with the brace. Others are
// torn and are cut.
std::optional<std::int64_t> step_of(std::string_view line) {
  constexpr std::string_view kStart = R"({"step":)";
  if (!line.starts_with(kStart) || !line.ends_with('}')) return std::nullopt;
  std::int64_t step = 0;
  const char* end = line.data() + line.size();
  const auto [rest, error] = std::from_chars(line.data() + kStart.size(), end, step);
  if (error != std::errc() || *rest != ',') return std::nullopt;
  return step;
}

struct Kept {
  std::string lines;
  bool evaluated = false;
  std::optional<Score> score;
};

std::optional<Score> score_of(std::string_view line) {
  const auto json = parse_json(line, "metrics.jsonl");
  const Json* const value = json ? json->find("score") : nullptr;
  const Json* const of = json ? json->find("score_of") : nullptr;
  if (!value || !value->real() || !of || !of->is(Json::Kind::string)) return std::nullopt;
  return Score{*value->real(), of->text};
}

Kept keep_until(std::string_view text, std::int64_t last_step) {
  Kept kept;
  for (std::size_t begin = 0, end; (end = text.find('\n', begin)) != std::string_view::npos;
       begin = end + 1) {
    const std::string_view line = text.substr(begin, end - begin);
    const auto step = step_of(line);
    if (!step || *step > last_step) continue;
    kept.lines.append(line).push_back('\n');
    if (*step < last_step) continue;
    kept.evaluated |= line.find("\"eval_loss\"") != std::string_view::npos;
    if (const auto score = score_of(line)) kept.score = score;
  }
  return kept;
}

}  // namespace

std::string to_json(const StepMetrics& m) {
  return fmt::format(
      R"({{"step":{},"loss":{},"gradient_norm":{},"learning_rate":{},"images":{},"seconds":{:.4f}}})",
      m.step, m.loss, m.gradient_norm, m.learning_rate, m.images, m.seconds);
}

std::string to_json(std::int64_t step, const HeldOut& held_out) {
  std::string line = fmt::format(R"({{"step":{},"eval_loss":{})", step, held_out.loss);
  const auto add = [&](const char* key, std::optional<double> value) {
    if (value) line += fmt::format(R"(,"{}":{})", key, *value);
  };
  add("eval_bits_per_dim", held_out.bits_per_dim);
  add("eval_accuracy", held_out.accuracy);
  return line + '}';
}

std::string to_json(std::int64_t step, const Score& score) {
  return fmt::format(R"({{"step":{},"score":{},"score_of":{}}})", step, score.value,
                     quote_json(score.of));
}

MetricsLog::MetricsLog(std::filesystem::path path, std::int64_t last_step)
    : path_(std::move(path)) {
  if (std::error_code unknown; std::filesystem::exists(path_, unknown)) {
    const std::string text = value_or_throw(read_file(path_));
    Kept kept = keep_until(text, last_step);
    if (kept.lines != text) write_file_atomic(path_, kept.lines);
    evaluated_ = kept.evaluated;
    score_ = kept.score;
    length_ = static_cast<std::int64_t>(kept.lines.size());
  }
  fd_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  if (fd_ < 0) {
    throw Error(ExitCode::resources, "[train] {}: cannot open for writing: {}", path_.string(),
                std::strerror(errno));
  }
}

MetricsLog::~MetricsLog() { ::close(fd_); }

bool MetricsLog::append(const std::string& line) {
  waiting_ += line;
  waiting_ += '\n';
  return flush();
}

bool MetricsLog::sync() { return flush() && ::fsync(fd_) == 0; }

bool MetricsLog::flush() {
  std::size_t done = 0;
  while (done < waiting_.size()) {
    const ssize_t n = ::write(fd_, waiting_.data() + done, waiting_.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) {
      // A torn line would be read as nonsense: take it back and keep all of `waiting_` for later.
      [[maybe_unused]] const int taken_back = ::ftruncate(fd_, length_);
      return false;
    }
    done += static_cast<std::size_t>(n);
  }
  length_ += static_cast<std::int64_t>(waiting_.size());
  waiting_.clear();
  return true;
}

}  // namespace ddpm
