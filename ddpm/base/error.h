// The two kinds of error that are thrown (the third, untrusted bytes, is a Result: result.h).
#pragma once

#include <fmt/format.h>

#include <stdexcept>
#include <string>
#include <utility>

namespace ddpm {

/// What the program exits with. 128 + n after signal n is added by the command line.
enum class ExitCode : int {
  ok = 0,
  bug = 1,
  usage = 2,      // command line or config
  bad_input = 3,  // a file or data set
  resources = 4,  // memory, disk
  numeric = 5,    // NaN or Inf in training
  peer = 6,       // another process failed
};

/// The caller or the environment is at fault. Text: `[room] operation: got X, expected Y; try Z`.
class Error : public std::runtime_error {
 public:
  template <class... Args>
  explicit Error(fmt::format_string<Args...> format, Args&&... args)
      : Error(ExitCode::usage, format, std::forward<Args>(args)...) {}

  template <class... Args>
  Error(ExitCode code, fmt::format_string<Args...> format, Args&&... args)
      : std::runtime_error(fmt::format(format, std::forward<Args>(args)...)), code_(code) {}

  ExitCode code() const { return code_; }

 private:
  ExitCode code_;
};

/// We are at fault: a broken invariant, with the expression and the place.
class BugError : public std::logic_error {
 public:
  using std::logic_error::logic_error;
};

[[noreturn]] void throw_bug(const char* file, int line, const char* expression,
                            const std::string& values);

inline std::string check_values() { return {}; }

template <class... Args>
std::string check_values(fmt::format_string<Args...> format, Args&&... args) {
  return fmt::format(format, std::forward<Args>(args)...);
}

}  // namespace ddpm

/// Throws BugError unless `condition`; further arguments are a format string and values.
#define DDPM_CHECK(condition, ...)                                                          \
  do {                                                                                      \
    if (!(condition)) {                                                                     \
      ::ddpm::throw_bug(__FILE__, __LINE__, #condition, ::ddpm::check_values(__VA_ARGS__)); \
    }                                                                                       \
  } while (false)

#ifdef NDEBUG
#define DDPM_DCHECK(condition, ...) \
  do {                              \
  } while (false)
#else
#define DDPM_DCHECK(condition, ...) DDPM_CHECK(condition, __VA_ARGS__)
#endif
