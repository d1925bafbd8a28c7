#include "ddpm/cli/output.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>

#include "ddpm/base/error.h"
#include "ddpm/cli/signals.h"

namespace ddpm::cli {
namespace {

constexpr int kMaxPictureColumns = 120;

bool dumb() {
  const char* term = std::getenv("TERM");
  return !term || !*term || std::strcmp(term, "dumb") == 0;
}

bool colours() {
  const char* no_color =
      std::getenv("NO_COLOR");  // https://no-color.org: any text switches colours off
  return !dumb() && !(no_color && *no_color);
}

std::string picture(const Image& image, int columns = kMaxPictureColumns) {
  return terminal_blocks(image, std::min({terminal_columns(), columns, image.width}));
}

std::optional<winsize> terminal_size() {
  winsize size = {};
  for (const int fd : {STDERR_FILENO, STDOUT_FILENO}) {
    if (ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size;
  }
  return {};
}

void print_lines(const char* before, std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    out += before;
    for (const char c : text.substr(0, end)) {
      const auto byte = static_cast<unsigned char>(c);
      out += byte < 0x20 || byte == 0x7F ? '?' : c;
    }
    out += '\n';
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  write_stderr(out);
}

}  // namespace

void put(std::string_view text) {
  const bool written =
      std::fwrite(text.data(), 1, text.size(), stdout) == text.size() && std::fflush(stdout) == 0;
  if (written) return;
  if (errno == EPIPE) end_by_signal(SIGPIPE);
  throw Error(ExitCode::resources, "[cli] standard output: {}; try another disk or `-o FILE`",
              std::strerror(errno));
}

std::string counted(std::int64_t n, const std::string& noun) {
  return fmt::format("{} {}{}", n, noun, n == 1 ? "" : "s");
}

void print_json(const std::string& schema, std::map<std::string, Json> members) {
  members["schema"] = json_string(schema);
  put(write_json(json_object(std::move(members))));
}

void print_error(std::string_view text) { print_lines("ddpm: error: ", text); }
void print_warning(std::string_view text) { print_lines("ddpm: warning: ", text); }
void print_note(std::string_view text) { print_lines("ddpm: ", text); }

void write_stderr(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stderr);
  std::fflush(stderr);
}

bool stdout_is_terminal() { return isatty(STDOUT_FILENO) == 1; }
bool stderr_is_terminal() { return isatty(STDERR_FILENO) == 1 && !dumb(); }

int terminal_columns() {
  const auto size = terminal_size();
  return size ? size->ws_col : 80;
}

int terminal_rows() {
  const auto size = terminal_size();
  return size && size->ws_row > 0 ? size->ws_row : 24;
}

void show_on_stdout(const Image& image) {
  if (stdout_is_terminal() && colours()) put(picture(image));
}

std::string picture_for_stderr(const Image& image) {
  return stderr_is_terminal() && colours() ? picture(image) : "";
}

std::string preview_for_stderr(const Image& image) {
  if (!stderr_is_terminal() || !colours()) return "";
  const std::int64_t pixels_high = 2 * std::max(terminal_rows() - 2, 1);  // two a line
  const std::int64_t columns = image.width * pixels_high / std::max(image.height, 1);
  return picture(image, static_cast<int>(std::clamp<std::int64_t>(columns, 1, kMaxPictureColumns)));
}

}  // namespace ddpm::cli
