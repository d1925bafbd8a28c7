#include "ddpm/cli/signals.h"

#include <unistd.h>

#include <csignal>

namespace ddpm::cli {
namespace {

static_assert(std::atomic<int>::is_always_lock_free);  // or a handler could not touch it
std::atomic<int> pending = 0;                          // what the watcher sees
std::atomic<int> stops = 0;  // SIGINT and SIGTERM so far; `pending` may be set back

void on_signal(int signal) {
  const bool stop = signal != SIGUSR1;
  if (stop && stops.fetch_add(1) > 0) {  // takes effect when the handler returns
    std::signal(signal, SIG_DFL);
    raise(signal);
    return;
  }
  if (stop || stops == 0) pending = signal;  // saving and going on must not hide a stop
}

void install(int signal, void (*handler)(int)) {
  struct sigaction action = {};
  action.sa_handler = handler;
  action.sa_flags = SA_RESTART;  // a read or write in progress goes on
  sigaction(signal, &action, nullptr);
}

}  // namespace

SignalWatch::SignalWatch(bool usr1) {
  pending = 0;
  stops = 0;
  for (const int signal : {SIGINT, SIGTERM}) install(signal, on_signal);
  if (usr1) install(SIGUSR1, on_signal);
}

SignalWatch::~SignalWatch() {
  for (const int signal : {SIGINT, SIGTERM, SIGUSR1}) install(signal, SIG_DFL);
}

std::atomic<int>* SignalWatch::flag() { return &pending; }

void SignalWatch::check() const {
  const int signal = pending;
  if (signal == SIGINT || signal == SIGTERM) throw Interrupted{signal};
}

void end_by_signal(int signal) {
  std::signal(signal, SIG_DFL);
  raise(signal);
  _exit(128 + signal);  // the signal is blocked
}

}  // namespace ddpm::cli
