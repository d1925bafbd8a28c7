// Stopping gracefully: the first SIGINT or SIGTERM is noted, the second ends the process at once.
#pragma once

#include <atomic>

namespace ddpm::cli {

/// Thrown when a signal ended the work early, after everything was left in order.
struct Interrupted {
  int signal;
};

/// Notes SIGINT and SIGTERM, and SIGUSR1 if asked, while it lives. One at a time.
class SignalWatch {
 public:
  explicit SignalWatch(bool usr1 = false);
  ~SignalWatch();
  SignalWatch(const SignalWatch&) = delete;
  SignalWatch& operator=(const SignalWatch&) = delete;

  /// The signal that arrived, 0 when none did. Whoever handles it may set it back to 0.
  std::atomic<int>* flag();

  /// Throws Interrupted when SIGINT or SIGTERM has arrived.
  void check() const;
};

/// Ends the process as signal n does by default.
[[noreturn]] void end_by_signal(int signal);

}  // namespace ddpm::cli
