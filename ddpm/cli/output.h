// Where words and pictures go: results to standard output, messages to standard error.
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "ddpm/image/image.h"
#include "ddpm/net/json_writer.h"

namespace ddpm::cli {

/// Writes a result. When the reader has gone (`ddpm ... | head`) the process ends by SIGPIPE,
/// silently; throws Error (resources) for any other failure.
void put(std::string_view text);

template <class... Args>
void put_line(fmt::format_string<Args...> format, Args&&... args) {
  put(fmt::format(format, std::forward<Args>(args)...) + '\n');
}

/// `1 channel`, `3 channels`.
std::string counted(std::int64_t n, const std::string& noun);

/// The one document of --json. `schema` is added, as `ddpm.info/1`.
void print_json(const std::string& schema, std::map<std::string, Json> members);

/// `ddpm: error: ...`, `ddpm: warning: ...`, `ddpm: ...` on standard error, for every line of the
/// text. Control characters, which could steer a terminal, become `?`.
void print_error(std::string_view text);
void print_warning(std::string_view text);
void print_note(std::string_view text);

/// To standard error as it is; failures are ignored.
void write_stderr(std::string_view text);

bool stdout_is_terminal();
bool stderr_is_terminal();  // false for TERM=dumb: nothing that moves
int terminal_columns();     // 80 when unknown
int terminal_rows();        // 24 when unknown

/// On a terminal with colours (not TERM=dumb, not NO_COLOR), the picture in half-blocks; otherwise
/// nothing.
void show_on_stdout(const Image& image);
std::string picture_for_stderr(const Image& image);
/// Likewise, but so small that it and a line below it fit on the terminal.
std::string preview_for_stderr(const Image& image);

}  // namespace ddpm::cli
